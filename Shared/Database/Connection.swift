import CLibPQ
import Glibc
import Models

/// How a connection is made: libpq's keywords and the settings that it starts with, sent in the first packet.
struct ConnectionParameters: Sendable {
    var url: Secret
    var applicationName: String
    var settings: [(name: String, value: String)]

    /// Seconds that one attempt may take; libpq's smallest is 2.
    static let connectTimeout = 5

    init(url: Secret, schema: String, applicationName: String, settings: [(String, String)]) {
        self.url = url
        self.applicationName = applicationName
        // What the text formats of ValueText are written for, whatever the role's or database's defaults are.
        self.settings =
            [
                ("search_path", schema), ("TimeZone", "UTC"), ("DateStyle", "ISO,MDY"), ("bytea_output", "hex"),
                ("standard_conforming_strings", "on"),
                // Compiling pays for reports over millions of rows, and costs our statements many times what they take: above all where a
                // plan by keys is asked for, since a way that is ruled out counts as very dear.
                ("jit", "off"),
            ] + settings
    }

    /// `-c name=value …` with spaces and backslashes escaped (libpq manual, "options").
    var options: String {
        self.settings.map { "-c \($0.name)=" + $0.value.replacing("\\", with: "\\\\").replacing(" ", with: "\\ ") }.joined(separator: " ")
    }

    /// Later keywords win over those of the URL.
    var keywords: [(String, String)] {
        [
            ("dbname", self.url.reveal()), ("application_name", self.applicationName), ("client_encoding", "UTF8"),
            ("fallback_application_name", "switchboard"), ("connect_timeout", String(Self.connectTimeout)), ("options", self.options),
            // A peer that vanished without a word is noticed within a minute.
            ("keepalives_idle", "20"), ("keepalives_interval", "10"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
        ]
    }
}

/// One libpq connection. Not Sendable: it belongs to one thread at a time, and every call below is made there.
final class Connection {
    private let handle: OpaquePointer
    let descriptor: Int32

    private init(handle: OpaquePointer) {
        self.handle = handle
        self.descriptor = PQsocket(handle)
    }

    deinit { PQfinish(self.handle) }

    /// Blocks for at most the connect time-out per address.
    /// - Throws: ``DatabaseError`` of kind `unavailable` with libpq's words, which name host, role and database and no password.
    static func open(_ parameters: ConnectionParameters) throws(DatabaseError) -> Connection {
        // libpq quotes a URL that it cannot read, password and all.
        guard Self.isReadable(parameters.url) else { throw DatabaseError(.misuse, "the database URL cannot be read") }
        let keywords = parameters.keywords
        let opened = withCStrings(keywords.map(\.0)) { names in
            withCStrings(keywords.map(\.1)) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let handle = opened else { throw DatabaseError(.unavailable, "out of memory for a connection") }
        let connection = Connection(handle: handle)
        guard PQstatus(handle) == CONNECTION_OK else { throw DatabaseError(.unavailable, connection.message) }
        // Notices would go to stderr as plain text.
        PQsetNoticeReceiver(handle, { _, _ in }, nil)
        guard PQsetnonblocking(handle, 1) == 0 else { throw DatabaseError(.unavailable, connection.message) }
        return connection
    }

    private static func isReadable(_ url: Secret) -> Bool {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(url.reveal(), &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        return options != nil
    }

    var isOpen: Bool { PQstatus(self.handle) == CONNECTION_OK }

    /// The connection's own words about its last failure. A server's message about a statement is not read from here.
    var message: String {
        PQerrorMessage(self.handle).map { String(cString: $0).split(whereSeparator: \.isNewline).joined(separator: " ") } ?? ""
    }

    var transactionStatus: PGTransactionStatusType { PQtransactionStatus(self.handle) }

    // MARK: Sending. False when the connection is broken; libpq keeps in memory what the socket does not take at once.

    func enterPipeline() -> Bool { PQenterPipelineMode(self.handle) == 1 }
    func exitPipeline() -> Bool { PQexitPipelineMode(self.handle) == 1 }

    /// Ends a group and, with this version of libpq, flushes.
    func sendSync() -> Bool { PQpipelineSync(self.handle) == 1 }

    func sendPrepare(name: String, sql: String) -> Bool { PQsendPrepare(self.handle, name, sql, 0, nil) == 1 }

    func sendPrepared(name: String, _ parameters: [Query.Parameter]) -> Bool {
        withParameters(parameters) { PQsendQueryPrepared(self.handle, name, Int32(parameters.count), $0, nil, nil, 0) == 1 }
    }

    func sendUnprepared(_ sql: String, _ parameters: [Query.Parameter]) -> Bool {
        withParameters(parameters) { PQsendQueryParams(self.handle, sql, Int32(parameters.count), nil, $0, nil, nil, 0) == 1 }
    }

    /// One or more statements without parameters. Not in pipeline mode.
    func sendSimple(_ sql: String) -> Bool { PQsendQuery(self.handle, sql) == 1 }

    enum Flush { case done, more, broken }

    func flush() -> Flush {
        switch PQflush(self.handle) {
        case 0: .done
        case 1: .more
        default: .broken
        }
    }

    // MARK: Receiving.

    /// Reads what has come. False when the connection is broken.
    func consume() -> Bool { PQconsumeInput(self.handle) == 1 && self.isOpen }

    var isBusy: Bool { PQisBusy(self.handle) == 1 }

    /// Nil ends the results of one statement. Only when not ``isBusy``.
    func nextResult() -> ResultBox? { PQgetResult(self.handle).map(ResultBox.init(owning:)) }

    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = PQnotifies(self.handle) else { return nil }
        defer { PQfreemem(notification) }
        return (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }

    // MARK: COPY.

    enum CopyState { case taken, full, broken }

    func putCopy(_ bytes: UnsafeBufferPointer<UInt8>) -> CopyState {
        let status = bytes.withMemoryRebound(to: CChar.self) { PQputCopyData(self.handle, $0.baseAddress, Int32($0.count)) }
        return status == 1 ? .taken : status == 0 ? .full : .broken
    }

    /// - Parameter failure: makes the server refuse the whole COPY.
    func endCopy(failure: String?) -> CopyState {
        let status = PQputCopyEnd(self.handle, failure)
        return status == 1 ? .taken : status == 0 ? .full : .broken
    }

    // MARK: Other.

    /// Asks the server over a connection of its own to cancel what runs here. Blocks for that connection's round trip.
    func cancel() {
        guard let request = PQgetCancel(self.handle) else { return }
        defer { PQfreeCancel(request) }
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            // A refusal changes nothing: the statement then ends by its own time-out.
            _ = PQcancel(request, message.baseAddress, 256)
        }
    }

    func quotedIdentifier(_ name: String) throws(DatabaseError) -> String {
        guard let quoted = PQescapeIdentifier(self.handle, name, name.utf8.count) else {
            throw DatabaseError(.misuse, "a name is not valid UTF-8")
        }
        defer { PQfreemem(quoted) }
        return String(cString: quoted)
    }

    /// Waits until the socket can be read (or written, where asked), the waker was written to, or the time is over.
    /// - Returns: what is ready; both false on time-out.
    func wait(forOutput: Bool = false, waker: Waker?, until deadline: Monotonic) -> (socket: Bool, waker: Bool) {
        var watched = [
            pollfd(fd: self.descriptor, events: Int16(POLLIN) | (forOutput ? Int16(POLLOUT) : 0), revents: 0),
            pollfd(fd: waker?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let ready = poll(&watched, 2, deadline.millisecondsFromNow)
        return ready > 0 ? (watched[0].revents != 0, watched[1].revents != 0) : (false, false)
    }
}

/// The parameters as C strings in one stack buffer; nil is NULL. ``Query/validate()`` has refused NUL characters before.
private func withParameters(_ parameters: [Query.Parameter], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Bool) -> Bool {
    guard !parameters.isEmpty else { return body(nil) }
    let size = parameters.reduce(0) { $0 + ($1.text.map { $0.utf8.count + 1 } ?? 0) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: max(size, 1)) { buffer in
        withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: parameters.count) { pointers in
            var next = 0
            for (index, parameter) in parameters.enumerated() {
                guard let text = parameter.text else {
                    pointers.initializeElement(at: index, to: nil)
                    continue
                }
                pointers.initializeElement(at: index, to: buffer.baseAddress.map { UnsafePointer($0 + next) })
                for byte in text.utf8 {
                    buffer.initializeElement(at: next, to: CChar(bitPattern: byte))
                    next += 1
                }
                buffer.initializeElement(at: next, to: 0)
                next += 1
            }
            return body(pointers.baseAddress.map { UnsafePointer($0) })
        }
    }
}

/// A NULL-ended array of C strings.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> R) -> R {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return (copies.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { body($0.baseAddress) }
}
