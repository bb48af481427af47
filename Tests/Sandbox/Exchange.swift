import Foundation
import HTTPTypes
import Hummingbird
import Models
import NIOCore

extension Response {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json;charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.serialized()))
        )
    }

    /// An answer with other headers added.
    func adding(_ headers: [(String, String)]) -> Response {
        var response = self
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { preconditionFailure("not a header name: \(name)") }
            response.headers[name] = value
        }
        return response
    }
}

extension Request {
    /// The whole body; nil where it is longer than the limit.
    func bytes(upTo limit: Int) async throws -> [UInt8]? {
        do {
            return Array(buffer: try await self.body.collect(upTo: limit))
        } catch is NIOTooManyBytesError {
            return nil
        }
    }

    /// The body as JSON; nil where it is not.
    func json(upTo limit: Int = 4 << 20) async throws -> JSONValue? {
        guard let bytes = try await self.bytes(upTo: limit) else { return nil }
        return try? JSONValue(parsing: bytes)
    }

    func query(_ name: String) -> String? { self.uri.queryParameters[name[...]].map(String.init) }

    /// The token of `Authorization: Bearer …`.
    var bearer: String? {
        guard let value = self.headers[.authorization], value.lowercased().hasPrefix("bearer ") else { return nil }
        return String(value.dropFirst(7))
    }
}

/// Milliseconds since 1970: how providers count time.
enum Clock {
    static func now() -> Int64 { Int64((Date().timeIntervalSince1970 * 1000).rounded()) }

    /// `2026-02-25T16:23:49.023Z`, by Howard Hinnant's days-to-civil algorithm: Foundation's formatter would be most of a page's cost.
    static func text(_ milliseconds: Int64) -> String {
        let (days, rest) = milliseconds.flooredDivision(by: 86_400_000)
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let time = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(time).\(padded(rest % 1000, 3))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
