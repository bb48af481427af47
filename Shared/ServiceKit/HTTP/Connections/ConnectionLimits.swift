/// What one connection may take. Common servers give a head and each pause of a body 60 s (nginx `client_header_timeout`,
/// `client_body_timeout`); here a stranger holds a place for less.
package struct ConnectionLimits: Sendable {
    /// From the connection to its first byte.
    package var firstByte = Duration.seconds(15)
    /// Between an answer and the next request. Longer than the keep-alive of the house's own clients, so that it is they who close idle connections.
    package var idle = Duration.seconds(150)
    /// From a request's first byte to the end of its head.
    package var head = Duration.seconds(10)
    /// For a body of at most ``RequestLimits/body``, or of unknown length as long as no more of it has come.
    package var shortBody = Duration.seconds(30)
    /// Between two pieces of a body.
    package var bodyPause = Duration.seconds(10)
    /// For a client that takes nothing of an answer that waits for it.
    package var stalledAnswer = Duration.seconds(30)
    /// For what is written but not taken yet when the server closes.
    package var closing = Duration.seconds(10)
    /// Between the last answer and the end of the connection: a client that still sends must be able to read the answer (RFC 9112 section 9.6).
    package var linger = Duration.seconds(1)
    /// Bytes that are thrown away meanwhile.
    package var lingerBytes = 1 << 20

    package init() {}
}
