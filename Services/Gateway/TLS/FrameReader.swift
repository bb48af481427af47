/// Follows where frames and header blocks of HTTP/2 begin and end in a client's bytes (RFC 9113 sections 3.4, 4.1 and 4.3): no more of the
/// protocol than tells that a client has left something half sent.
struct FrameReader {
    private static let preface = 24
    private static let dataType: UInt8 = 0
    private static let headersType: UInt8 = 1
    private static let continuationType: UInt8 = 9
    private static let endHeaders: UInt8 = 4

    private var prefaceLeft = Self.preface
    private var header: [UInt8] = []
    /// Bytes that the frame still has, behind its header.
    private var payloadLeft = 0
    private var isData = false
    private var isBlockOpen = false
    /// Header blocks that have come whole.
    private(set) var blocks = 0
    /// Rises with each frame, or each header block of several, that has come whole.
    private(set) var wholes = 0

    /// The client has begun something and not ended it. A body is none of it: bodies have a pace of their own.
    var isMidway: Bool {
        self.prefaceLeft > 0 || self.isBlockOpen || !self.header.isEmpty || (self.payloadLeft > 0 && !self.isData)
    }

    mutating func consume(_ bytes: some Collection<UInt8>) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if self.prefaceLeft > 0 {
                let count = min(self.prefaceLeft, rest.count)
                self.prefaceLeft -= count
                rest = rest.dropFirst(count)
            } else if self.payloadLeft > 0 {
                let count = min(self.payloadLeft, rest.count)
                self.payloadLeft -= count
                rest = rest.dropFirst(count)
                if self.payloadLeft == 0 { self.frameEnded() }
            } else {
                let count = min(9 - self.header.count, rest.count)
                self.header += rest.prefix(count)
                rest = rest.dropFirst(count)
                if self.header.count == 9 { self.frameBegan() }
            }
        }
    }

    private mutating func frameBegan() {
        self.payloadLeft = Int(self.header[0]) << 16 | Int(self.header[1]) << 8 | Int(self.header[2])
        let (type, flags) = (self.header[3], self.header[4])
        self.header.removeAll(keepingCapacity: true)
        self.isData = type == Self.dataType
        if type == Self.headersType || type == Self.continuationType {
            let isWhole = flags & Self.endHeaders != 0
            self.isBlockOpen = true
            self.closesBlock = isWhole
        }
        if self.payloadLeft == 0 { self.frameEnded() }
    }

    private var closesBlock = false

    private mutating func frameEnded() {
        if self.closesBlock {
            self.closesBlock = false
            self.isBlockOpen = false
            self.blocks += 1
        }
        if !self.isBlockOpen { self.wholes += 1 }
    }
}
