import CCurl

extension TransportError {
    /// What libcurl's result means.
    /// - Parameters:
    ///   - connected: whether the request was about to be written at least once.
    ///   - bytesSent: bytes of it that were written.
    init(_ code: CURLcode, message: String, host: String, connected: Bool, bytesSent: Int) {
        self.init(kind: Self.kind(code, connected: connected), surelyNotSent: bytesSent == 0, detail: "\(message) (\(host))")
    }

    private static func kind(_ code: CURLcode, connected: Bool) -> Kind {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            .resolve
        case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED:
            .connect
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
            .tls
        case CURLE_OPERATION_TIMEDOUT:
            .timedOut
        case CURLE_LOGIN_DENIED, CURLE_REMOTE_ACCESS_DENIED:
            .authentication
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            connected ? .protocolError : .invalidRequest
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            .protocolError
        default:
            connected ? .connectionLost : .connect
        }
    }
}
