import COpenSSL

/// Key material in memory of its own that is wiped when the last owner lets go.
/// `@unchecked Sendable`: the memory is written only before `init` returns.
final class SecretBytes: @unchecked Sendable {
    private let storage: UnsafeMutableRawBufferPointer

    /// Takes the bytes over: `bytes` is wiped and empty afterwards.
    init(taking bytes: inout [UInt8]) {
        self.storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        self.storage.copyBytes(from: bytes)
        bytes.wipe()
    }

    /// For a key that its owner keeps: only this copy is wiped.
    init(copying bytes: [UInt8]) {
        self.storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        self.storage.copyBytes(from: bytes)
    }

    deinit {
        OPENSSL_cleanse(self.storage.baseAddress, self.storage.count)
        self.storage.deallocate()
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(self.storage))
    }
}

extension [UInt8] {
    /// Overwrites the bytes in a way that no optimiser removes, and empties the array.
    /// Only this array's storage is reached: keep secrets in one array, uncopied.
    mutating func wipe() {
        self.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
        self = []
    }
}
