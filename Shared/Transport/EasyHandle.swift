import CCurl
import Glibc

/// What an easy handle's callbacks ask of the transfer that it carries. All on the loop's thread.
protocol EasyHandleOwner: AnyObject {
    /// Before the request is written, on a new connection and on a reused one alike.
    func mayUse(connection: EasyHandle.Connection) -> Bool
    /// A line of the head (HTTP) or of a reply (SMTP). False aborts.
    func received(line: UnsafeBufferPointer<UInt8>) -> Bool
    func received(body: UnsafeRawBufferPointer) -> EasyHandle.BodyVerdict
    func readUpload(into buffer: UnsafeMutableRawBufferPointer) -> RequestUpload.Piece
    /// Whether libcurl may connect to this address.
    func mayConnect(to address: IPAddress, port: UInt16) -> Bool
}

/// A libcurl easy handle that is used again and again: what never changes is set once. Touched by its loop's thread alone.
final class EasyHandle {
    enum BodyVerdict { case taken, pause, abort }

    struct Connection {
        var address: UnsafePointer<CChar>
        var port: Int32
    }

    let easy: UnsafeMutableRawPointer
    unowned(unsafe) var owner: (any EasyHandleOwner)?
    private let errorText: UnsafeMutablePointer<CChar>
    private var lists: UnsafeMutablePointer<curl_slist>?
    private var bodyBytes: UnsafeMutableRawPointer?
    private var bodyCapacity = 0
    private var url = ""
    private var lastPeer = (address: "", port: Int32(0), text: "")

    /// More of a body than this is not kept for the next request.
    private static let keptBodyBytes = 64 << 10
    private static let receiveBytes = 32 << 10

    /// nil when libcurl is out of memory.
    init?(protocols: String, userAgent: String) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        self.errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.setForEver(protocols: protocols, userAgent: userAgent)
        self.setCallbacks()
    }

    deinit {
        curl_easy_cleanup(self.easy)
        curl_slist_free_all(self.lists)
        self.bodyBytes?.deallocate()
        self.errorText.deallocate()
    }

    /// The handle behind a pointer that libcurl gives back.
    static func of(_ easy: UnsafeMutableRawPointer) -> EasyHandle? {
        ccurl_get_private(easy).map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: Setting

    func set(_ option: CURLoption, _ value: Int) { _ = ccurl_set_long(self.easy, option, value) }
    func set(_ option: CURLoption, _ value: Int64) { _ = ccurl_set_offset(self.easy, option, curl_off_t(value)) }
    func set(_ option: CURLoption, text value: String?) { _ = ccurl_set_text(self.easy, option, value) }

    func set(url: String) {
        guard url != self.url else { return }
        self.url = url
        self.set(CURLOPT_URL, text: url)
    }

    /// Takes the list over and frees the one before.
    func set(headers: UnsafeMutablePointer<curl_slist>?) {
        if headers == nil, self.lists == nil { return }
        _ = ccurl_set_list(self.easy, CURLOPT_HTTPHEADER, headers)
        curl_slist_free_all(self.lists)
        self.lists = headers
    }

    /// libcurl does not copy a body: it is kept here until the next one.
    func set(body: [UInt8]) {
        if body.count > self.bodyCapacity {
            self.bodyBytes?.deallocate()
            self.bodyCapacity = max(body.count, 1024)
            self.bodyBytes = .allocate(byteCount: self.bodyCapacity, alignment: 16)
        }
        body.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { self.bodyBytes?.copyMemory(from: source, byteCount: bytes.count) }
        }
        self.set(CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count))
        if body.isEmpty {
            self.set(CURLOPT_COPYPOSTFIELDS, text: "")
        } else {
            _ = ccurl_set_pointer(self.easy, CURLOPT_POSTFIELDS, self.bodyBytes)
        }
    }

    /// After a transfer, before it rests in the pool.
    func release() {
        self.owner = nil
        self.errorText.pointee = 0
        if self.bodyCapacity > Self.keptBodyBytes {
            _ = ccurl_set_pointer(self.easy, CURLOPT_POSTFIELDS, nil)
            self.bodyBytes?.deallocate()
            self.bodyBytes = nil
            self.bodyCapacity = 0
        }
    }

    // MARK: Asking

    /// Address and port as text, made only when they are not those of this handle's last connection.
    func peer(of connection: Connection) -> String {
        let isSame = connection.port == self.lastPeer.port && self.lastPeer.address.withCString { strcmp($0, connection.address) == 0 }
        if !isSame {
            let address = String(cString: connection.address)
            self.lastPeer = (
                address, connection.port, address.contains(":") ? "[\(address)]:\(connection.port)" : "\(address):\(connection.port)"
            )
        }
        return self.lastPeer.text
    }

    /// libcurl's own account of a failure; empty when it gave none.
    func errorMessage(_ code: CURLcode) -> String {
        self.errorText.pointee == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: self.errorText)
    }

    /// Bytes of requests written to any connection for this transfer, repetitions by libcurl included.
    var bytesSent: Int {
        ccurl_get_long(self.easy, CURLINFO_REQUEST_SIZE) + Int(ccurl_get_offset(self.easy, CURLINFO_SIZE_UPLOAD_T))
    }

    // MARK: Set once

    private func setForEver(protocols: String, userAgent: String) {
        _ = ccurl_set_pointer(self.easy, CURLOPT_PRIVATE, Unmanaged.passUnretained(self).toOpaque())
        _ = ccurl_set_pointer(self.easy, CURLOPT_ERRORBUFFER, self.errorText)
        self.set(CURLOPT_NOSIGNAL, 1)
        self.set(CURLOPT_NOPROGRESS, 1)
        // Without it, giving up on a name look-up would block the loop until the resolver's thread has ended.
        self.set(CURLOPT_QUICK_EXIT, 1)
        self.set(CURLOPT_PROTOCOLS_STR, text: protocols)
        self.set(CURLOPT_REDIR_PROTOCOLS_STR, text: "")
        self.set(CURLOPT_FOLLOWLOCATION, 0)
        // An empty proxy, and none for any host: http_proxy and its like in the environment do not count.
        self.set(CURLOPT_PROXY, text: "")
        self.set(CURLOPT_NOPROXY, text: "*")
        self.set(CURLOPT_NETRC, 0)
        self.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        self.set(CURLOPT_SSL_VERIFYPEER, 1)
        self.set(CURLOPT_SSL_VERIFYHOST, 2)
        self.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        self.set(CURLOPT_PATH_AS_IS, 1)
        self.set(CURLOPT_BUFFERSIZE, Self.receiveBytes)
        self.set(CURLOPT_USERAGENT, text: userAgent)
        // libcurl's own limits are off or far away: the loop keeps the time (one rule for queue, connection and silence).
        self.set(CURLOPT_CONNECTTIMEOUT_MS, 600_000)
        self.set(CURLOPT_TIMEOUT_MS, 0)
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_data_callback(self.easy, CURLOPT_HEADERFUNCTION, onLine)
        _ = ccurl_set_pointer(self.easy, CURLOPT_HEADERDATA, context)
        _ = ccurl_set_data_callback(self.easy, CURLOPT_WRITEFUNCTION, onBody)
        _ = ccurl_set_pointer(self.easy, CURLOPT_WRITEDATA, context)
        _ = ccurl_set_data_callback(self.easy, CURLOPT_READFUNCTION, onRead)
        _ = ccurl_set_pointer(self.easy, CURLOPT_READDATA, context)
        _ = ccurl_set_open_socket(self.easy, onOpenSocket)
        _ = ccurl_set_pointer(self.easy, CURLOPT_OPENSOCKETDATA, context)
        _ = ccurl_set_before_request(self.easy, onBeforeRequest)
        _ = ccurl_set_pointer(self.easy, CURLOPT_PREREQDATA, context)
    }
}

private func owner(_ context: UnsafeMutableRawPointer?) -> (any EasyHandleOwner)? {
    context.flatMap { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue().owner }
}

private let onLine: ccurl_data_callback = { data, size, count, context in
    guard let data, let owner = owner(context) else { return 0 }
    let length = size * count
    return data.withMemoryRebound(to: UInt8.self, capacity: length) { bytes in
        owner.received(line: UnsafeBufferPointer(start: bytes, count: length)) ? length : 0
    }
}

private let onBody: ccurl_data_callback = { data, size, count, context in
    guard let owner = owner(context) else { return 0 }
    let length = size * count
    return switch owner.received(body: UnsafeRawBufferPointer(start: data, count: length)) {
    case .taken: length
    case .pause: Int(CURL_WRITEFUNC_PAUSE)
    case .abort: length == 0 ? 1 : 0
    }
}

private let onRead: ccurl_data_callback = { data, size, count, context in
    guard let owner = owner(context) else { return Int(CURL_READFUNC_ABORT) }
    return switch owner.readUpload(into: UnsafeMutableRawBufferPointer(start: data, count: size * count)) {
    case .bytes(let count): count
    case .nothing: Int(CURL_READFUNC_PAUSE)
    case .end: 0
    case .failed: Int(CURL_READFUNC_ABORT)
    }
}

private let onOpenSocket: curl_opensocket_callback = { context, _, address in
    guard let address, let owner = owner(context) else { return CURL_SOCKET_BAD }
    var port: UInt16 = 0
    let parsed = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { bytes -> IPAddress? in
        switch ccurl_address_parts(address, bytes.baseAddress, &port) {
        case AF_INET: .v4(UInt32(bigEndian: bytes.load(as: UInt32.self)))
        case AF_INET6: IPAddress(v6: UnsafeRawBufferPointer(bytes))
        default: nil
        }
    }
    guard let parsed, owner.mayConnect(to: parsed, port: port) else { return CURL_SOCKET_BAD }
    return ccurl_open_socket(address)
}

private let onBeforeRequest: curl_prereq_callback = { context, address, _, port, _ in
    guard let address, let owner = owner(context) else { return CURL_PREREQFUNC_ABORT }
    return owner.mayUse(connection: EasyHandle.Connection(address: address, port: port)) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}
