import HTTPTypes

extension HTTPField.Name {
    static let apiKey = Self.fixed("X-API-Key")
    static let rateLimitPolicy = Self.fixed("RateLimit-Policy")
    static let rateLimit = Self.fixed("RateLimit")
    static let xRateLimitLimit = Self.fixed("X-RateLimit-Limit")
    static let xRateLimitRemaining = Self.fixed("X-RateLimit-Remaining")
    static let xRateLimitReset = Self.fixed("X-RateLimit-Reset")
    static let keepAlive = Self.fixed("Keep-Alive")
    static let forwarded = Self.fixed("Forwarded")
    static let http2Settings = Self.fixed("HTTP2-Settings")
    static let referrerPolicy = Self.fixed("Referrer-Policy")
    static let frameOptions = Self.fixed("X-Frame-Options")

    private static func fixed(_ name: StaticString) -> Self {
        guard let name = Self(name.description) else { preconditionFailure("\(name) is no header name") }
        return name
    }
}
