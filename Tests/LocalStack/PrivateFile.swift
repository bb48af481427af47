package import Foundation

package enum PrivateFile {
    /// Writes a file that only its user can read, in one step.
    package static func write(_ data: Data, to path: String) throws {
        let draft = "\(path).new"
        guard FileManager.default.createFile(atPath: draft, contents: data, attributes: [.posixPermissions: 0o600]) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
        _ = try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: draft, toPath: path)
    }
}
