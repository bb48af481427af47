import HTTPTypes
import ServiceKit

/// What every answer of the gateway says to browsers, beside the house's own `nosniff` and `no-store`.
struct SecurityHeaders: Sendable {
    private let fields: [(HTTPField.Name, String)]
    /// The same as plain text.
    let pairs: [(String, String)]

    /// - isSecure: only a door that speaks TLS, or stands behind something that does, may ask browsers to insist on it (RFC 6797 section 7.2).
    init(isSecure: Bool) {
        var fields: [(HTTPField.Name, String)] = [(.referrerPolicy, "no-referrer"), (.frameOptions, "DENY")]
        if isSecure { fields.append((.strictTransportSecurity, "max-age=31536000")) }
        self.fields = fields
        self.pairs = fields.map { ($0.rawName, $1) }
    }

    func add(to context: BaseContext) {
        for (name, value) in self.fields { context.addHeader(name, value) }
    }
}
