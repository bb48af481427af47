import COpenSSL

package enum ConstantTime {
    /// Compares in a time that depends on the length alone. Lengths are no secret: different ones answer at once.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}
