import HTTPTypes
import Models

/// An answer of HubSpot, read for what has to happen next. Every member of an error body is optional.
struct HubSpotAnswer: Sendable {
    let status: Int
    let headers: HTTPFields
    let json: JSONValue?

    init(_ head: HTTPResponse, _ bytes: [UInt8]) {
        self.status = head.status.code
        self.headers = head.headerFields
        self.json = try? JSONValue(parsing: bytes)
    }

    /// nil for 2xx.
    var failure: ProviderFailure? {
        switch self.status {
        case 200..<300: nil
        case 401, 403: .unauthorized(self.detail)
        case 429: self.rateLimit
        // Locked: the documentation says to wait two seconds.
        case 423: .wait(seconds: 2, reason: "locked")
        // The portal moves to another data centre: Retry-After says how long, up to 24 h.
        case 477: .wait(seconds: min(self.headers.seconds("retry-after") ?? 60, 86400), reason: "migration")
        case 408, 500...: .transient(self.detail)
        default: .refused(self.detail)
        }
    }

    /// The body's policyName decides; no Retry-After is documented. The pauses are those of HubSpot's own SDK: ten seconds for the rolling
    /// window, one for the window of a second. A day's quota comes back at midnight of the account's time zone, so it is asked for every half hour.
    private var rateLimit: ProviderFailure {
        let policy = self.json?["policyName"]?.stringValue ?? "unknown"
        if let seconds = self.headers.seconds("retry-after") { return .wait(seconds: min(seconds, 86400), reason: "rate_limit_\(policy)") }
        let seconds: Double =
            switch policy {
            case "SECONDLY": 1
            case "DAILY": 1800
            default: 10
            }
        return .wait(seconds: seconds, reason: "rate_limit_\(policy)")
    }

    private var detail: String {
        let category = self.json?["category"]?.stringValue
        let message = self.json?["message"]?.stringValue
        let words = [category, message].compactMap { $0 }.joined(separator: ": ")
        return ProviderText.clean("HubSpot answered \(self.status)" + (words.isEmpty ? "." : ": \(words)"))
    }
}

extension HTTPFields {
    func value(named name: String) -> String? {
        self.first { $0.name.canonicalName == name }?.value
    }

    /// A header that holds a number of seconds.
    func seconds(_ name: String) -> Double? {
        self.value(named: name).flatMap(Double.init).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
}
