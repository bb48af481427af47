/// RFC 6901.
package enum JSONPointer {
    package static func escape(_ token: String) -> String {
        String(token.flatMap { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) })
    }
}
