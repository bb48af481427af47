/// One message, or one check of a server. Everything mutable belongs to the loop's thread.
final class SMTPJob: Queueable, @unchecked Sendable {
    typealias Answer = UnsafeContinuation<SMTPReply, any Error>

    enum Phase { case new, waiting, active, ended }

    static let shutDown = TransportError(kind: .shuttingDown, surelyNotSent: true, detail: "the client is shut down")

    let server: SMTPServer
    let url: String
    /// nil: the server is only checked.
    let envelope: SMTPEnvelope?

    /// Monotonic nanoseconds.
    let deadline: UInt64

    var phase = Phase.new
    /// Whose turn it takes while it is active.
    var turn: FairQueue<SMTPServer, SMTPJob>.Host?
    var answer: Answer?
    var connection: SMTPConnection?
    /// A kept connection had died under it: it goes to a new one, once.
    var needsNewConnection: Bool

    init(server: SMTPServer, url: String, envelope: SMTPEnvelope?, within limit: Duration) {
        self.deadline = MonotonicClock.now.saturatingAdd(limit.nanoseconds)
        self.server = server
        self.url = url
        self.envelope = envelope
        self.needsNewConnection = envelope == nil
    }

    var isWaiting: Bool { self.phase == .waiting }

    /// Answers the caller, once.
    func settle(_ result: Result<SMTPReply, any Error>) {
        self.phase = .ended
        self.connection = nil
        let answer = self.answer
        self.answer = nil
        answer?.resume(with: result)
    }
}
