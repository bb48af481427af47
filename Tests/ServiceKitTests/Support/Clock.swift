import Foundation

enum ContinuousWallClock {
    static var seconds: Int { Int(Date().timeIntervalSince1970) }
}
