/// How long a transfer may take. Measured on the monotonic clock; late by at most about 20 ms.
package struct Timeouts: Sendable, Equatable {
    /// From leaving the client's queue until the connection stands, name look-up and TLS included.
    package var connect: Duration = .seconds(5)
    /// From the call of `send`, waiting for a free place included, to the last byte; nil for streams that an idle limit bounds.
    package var total: Duration? = .seconds(30)
    /// From the head of the answer to its last byte; nil where ``total`` alone bounds it.
    package var body: Duration?
    /// Longest silence on the wire. A transfer that waits for its own reader is not silent.
    package var idle: Duration = .seconds(30)

    package init() {}
}

extension Duration {
    /// Saturates at zero and at `UInt64.max`.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product.saturatingAdd(UInt64(attoseconds / 1_000_000_000))
    }
}

extension UInt64 {
    func saturatingAdd(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
