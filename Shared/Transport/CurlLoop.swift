import CCurl
import Foundation
import Synchronization

/// What a ``CurlLoop`` turns for. Every function is called on the loop's thread, so a driver needs no locks.
protocol LoopDriver: AnyObject, SendableMetatype {
    associatedtype Command: Sendable

    func attach(to multi: UnsafeMutableRawPointer)
    /// The time, in monotonic nanoseconds, that counts until the next round: reading the clock is not free.
    func beginRound(now: UInt64)
    func handle(_ command: Command)
    /// A transfer has ended; the driver removes its handle from the multi.
    func finished(_ easy: UnsafeMutableRawPointer, _ result: CURLcode)
    /// Descriptors to be watched beside libcurl's own.
    var watched: [curl_waitfd] { get }
    func ready(_ watched: [curl_waitfd])
    /// Answers callers, looks for time-outs, starts waiting work.
    func endRound(now: UInt64) -> LoopRound
    /// The loop is over: everything still held is failed, every handle freed.
    func detach()
    /// For a command that came too late.
    func refuse(_ command: Command)
}

struct LoopRound {
    /// Something was begun: turn again before sleeping.
    var startedWork: Bool
    /// Monotonic nanoseconds; nil to sleep until something happens.
    var wakeAt: UInt64?
    /// Nothing is left and nothing more is wanted.
    var isOver: Bool
}

/// One `curl_multi` on a thread of its own. Commands reach it through a locked inbox; `curl_multi_wakeup` (the only function of a multi
/// that another thread may call) is used only while the loop sleeps, once.
final class CurlLoop<Driver: LoopDriver>: Sendable {
    private struct Inbox {
        var commands: [Driver.Command] = []
        var isAsleep = false
        var isClosed = false
    }

    private let inbox = Mutex(Inbox())
    // Written once before the thread starts; used off the thread only for curl_multi_wakeup, under the inbox's lock and before its closing.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer?

    /// - maximumConnections: idle connections kept; at least as many as transfers can be under way, or libcurl closes them again.
    init(name: String, maximumConnections: Int, driver: @escaping @Sendable () -> Driver) {
        CurlGlobal.initialize()
        self.multi = curl_multi_init()
        if let multi = self.multi {
            _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, maximumConnections)
            _ = ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        } else {
            self.inbox.withLock { $0.isClosed = true }
            return
        }
        let thread = Thread { [self] in
            ccurl_name_thread(name)
            self.run(driver())
        }
        thread.name = name
        thread.start()
    }

    /// False when the loop has ended: the command will not be handled.
    func submit(_ command: Driver.Command) -> Bool {
        self.inbox.withLock { inbox in
            guard !inbox.isClosed else { return false }
            inbox.commands.append(command)
            if inbox.isAsleep {
                inbox.isAsleep = false
                curl_multi_wakeup(self.multi)
            }
            return true
        }
    }

    private func run(_ driver: Driver) {
        guard let multi = self.multi else { return }
        driver.attach(to: multi)
        while true {
            driver.beginRound(now: MonotonicClock.now)
            for command in self.takeCommands() { driver.handle(command) }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            var result = CURLE_OK
            while let easy = ccurl_multi_next_finished(multi, &result) { driver.finished(easy, result) }
            let round = driver.endRound(now: MonotonicClock.now)
            if round.isOver { break }
            if !round.startedWork { self.sleep(multi, driver, until: round.wakeAt) }
        }
        for command in self.close() { driver.refuse(command) }
        driver.detach()
        curl_multi_cleanup(multi)
    }

    private func takeCommands() -> [Driver.Command] {
        self.inbox.withLock { inbox in
            inbox.isAsleep = false
            guard !inbox.commands.isEmpty else { return [] }
            let commands = inbox.commands
            inbox.commands = []
            return commands
        }
    }

    private func close() -> [Driver.Command] {
        self.inbox.withLock { inbox in
            inbox.isClosed = true
            defer { inbox.commands = [] }
            return inbox.commands
        }
    }

    private func sleep(_ multi: UnsafeMutableRawPointer, _ driver: Driver, until wakeAt: UInt64?) {
        let mayFallAsleep = self.inbox.withLock { inbox in
            inbox.isAsleep = inbox.commands.isEmpty
            return inbox.isAsleep
        }
        guard mayFallAsleep else { return }
        let now = MonotonicClock.now
        let milliseconds = wakeAt.map { $0 <= now ? 0 : min(($0 - now) / 1_000_000 + 1, 60_000) } ?? 60_000
        var watched = driver.watched
        if watched.isEmpty {
            curl_multi_poll(multi, nil, 0, Int32(milliseconds), nil)
        } else {
            curl_multi_poll(multi, &watched, UInt32(watched.count), Int32(milliseconds), nil)
            driver.ready(watched)
        }
    }
}

enum CurlGlobal {
    private static let result: CURLcode = ccurl_global_init()

    /// libcurl must be initialized once, before any handle, while no other thread uses it: a lazy global does that.
    static func initialize() { _ = self.result }
}
