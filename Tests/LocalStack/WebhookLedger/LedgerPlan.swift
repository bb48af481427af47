/// What the receiver does with one delivery.
package enum Conduct: String, CaseIterable, Sendable {
    case accept = "200"
    /// A 200 a moment later, so that a kill finds deliveries in the receiver's hands.
    case acceptLate = "200 after a moment"
    /// A whole head that says 200, and half of the body that it announces. The status has been given: the event is taken.
    case cutBody = "200, cut in its body"
    case fail = "500"
    case refuse = "503"
    case slowDown = "429 with Retry-After"
    /// Takes the event and says nothing until the sender has hung up.
    case hang = "taken, then no answer"
    case cut = "taken, then cut"
    /// Takes the event and is cut off in the middle of the status line.
    case cutHead = "taken, then cut in the head"

    var saysTaken: Bool { [.accept, .acceptLate, .cutBody].contains(self) }
    /// Took the event and could not say so: its repeat is the receiver's own doing.
    var takesSilently: Bool { [.hang, .cut, .cutHead].contains(self) }
}

/// What goes wrong and when: all of it follows from the seed.
struct LedgerPlan: Sendable {
    /// Times that an event may fail by the plan: two fewer than the schedule has attempts.
    static let mostFailures = 3
    /// Of a thousand deliveries, how many get which answer; the others are taken at once.
    private static let shares: [(conduct: Conduct, share: UInt64)] = [
        (.fail, 20), (.refuse, 10), (.slowDown, 6), (.hang, 4), (.cut, 10), (.cutHead, 10), (.cutBody, 10), (.acceptLate, 80),
    ]
    /// Every so manyth endpoint is out of order once: as many failures in a row as open its breaker.
    private static let sickEvery = 5
    private static let outage = 10

    let seed: UInt64
    let endpoints: Int
    /// Every delivery is taken at once.
    var isKind = false

    /// What `endpoint` does with its delivery of this number, counted from 0.
    func conduct(of endpoint: Int, delivery number: Int) -> Conduct {
        if self.isKind { return .accept }
        if endpoint % Self.sickEvery == 0 {
            let start = 20 + Int(self.roll(endpoint, -1) % 100)
            if (start..<start + Self.outage).contains(number) { return .fail }
        }
        var rest = self.roll(endpoint, number) % 1000
        for (conduct, share) in Self.shares {
            if rest < share { return conduct }
            rest -= share
        }
        return .accept
    }

    /// The parts of the run, as shares of its events, at which something is killed or restarted; in their order.
    func faults(kills: Int, restarts: Int) -> [(at: Double, fault: LedgerFault)] {
        let faults =
            Self.spread(kills, { self.roll(-2, $0) }).map { ($0, LedgerFault.kill) }
            + Self.spread(restarts, { self.roll(-3, $0) }).enumerated().map {
                ($1, $0.isMultiple(of: 2) ? .restartFast : .restartImmediate)
            }
        return faults.sorted { $0.0 < $1.0 }
    }

    /// One in each of as many equal parts of the run, somewhere in it. Near the end little is in flight.
    private static func spread(_ count: Int, _ roll: (Int) -> UInt64) -> [Double] {
        (0..<count).map { (Double($0) + Double(roll($0) % 1000) / 1000) / Double(count) * 0.97 + 0.01 }
    }

    private func roll(_ first: Int, _ second: Int) -> UInt64 {
        Self.mix(Self.mix(self.seed &+ UInt64(bitPattern: Int64(first))) &+ UInt64(bitPattern: Int64(second)))
    }

    /// The output function of Sebastiano Vigna's SplitMix64.
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// What befalls the service.
package enum LedgerFault: String, Sendable {
    case kill = "kill -9 webhooks"
    case restartFast = "restart Postgres, fast"
    case restartImmediate = "restart Postgres, immediate"
}
