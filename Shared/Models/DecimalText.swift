extension [UInt8] {
    /// The number in decimal digits, without the text that `String(number)` would make first: for what is written for every request.
    package mutating func append(decimal number: Int64) {
        if number < 0 { self.append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = self.count
        repeat {
            self.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}
