package import Models

/// A call to another service of the house that did not come to its answer.
package struct ServiceCallError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// The peer answered with this status.
        case answered(status: Int)
        /// No replica was to be had, or the request surely reached none: nothing happened.
        case notSent
        /// The exchange broke after the request may have been taken.
        case broken
        case timedOut
        /// An answer that this build cannot read.
        case unreadable
    }

    package var service: ServiceName
    package var kind: Kind
    /// What the peer said, where it said it as a problem.
    package var answer: Problem?
    /// Seconds after which a replica may be back.
    package var retryAfter: Int?
    /// For the log; no body and no secret is in it.
    package var detail: String

    package init(_ service: ServiceName, _ kind: Kind, answer: Problem? = nil, retryAfter: Int? = nil, detail: String) {
        self.service = service
        self.kind = kind
        self.answer = answer
        self.retryAfter = retryAfter
        self.detail = detail
    }

    package var status: Int? {
        guard case .answered(let status) = self.kind else { return nil }
        return status
    }

    package var description: String { "call to \(self.service.rawValue): \(self.detail)" }

    /// What a client of this process is told when the error is not handled.
    package var problem: Problem {
        switch self.kind {
        case .notSent: Problem(.unavailable, "\(self.service.rawValue) is not reachable.", retryAfter: self.retryAfter ?? 1)
        case .timedOut: Problem(.timeout, "\(self.service.rawValue) took too long.")
        case .answered(503): Problem(.unavailable, "\(self.service.rawValue) is not ready.", retryAfter: self.retryAfter ?? 1)
        case .answered, .broken, .unreadable: Problem(.badGateway, "\(self.service.rawValue) answered wrongly.")
        }
    }
}
