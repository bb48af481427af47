/// For the routes of accounts, most of which are open to anyone.
enum SignInLimits {
    /// Bytes of a body.
    static let body = 16 << 10
}
