/// For routes that are open to anyone.
enum SignInLimits {
    /// Bytes of a body.
    static let body = 16 << 10
}
