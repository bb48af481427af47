import Logging
import Models
import ServiceKit
import Testing

@Suite struct LoggingTests {
    @Test func lineCarriesItsFields() throws {
        let lines = LogLines()
        var logger = lines.logger()
        logger[metadataKey: "request_id"] = "r1"
        logger.warning("It \"happened\"\n", metadata: ["organization_id": "7", "count": "3", "nested": ["a": "b"]])
        let line = try #require(lines.all.first)
        #expect(line["level"] == "warning")
        #expect(line["message"] == "It \"happened\"\n")
        #expect(line["service"] == "campaigns")
        #expect(line["request_id"] == "r1")
        #expect(line["organization_id"] == "7")
        #expect(line["metadata"] == ["count": "3", "nested": ["a": "b"]])
        #expect(line["time"]?.stringValue.flatMap { Timestamp.parse($0) } != nil)
    }

    @Test func secretsDoNotShow() throws {
        let lines = LogLines()
        lines.logger().info("x", metadata: ["token": "\(Secret("hunter2"))", "password": "hunter2", "nested": ["api_key": "hunter2"]])
        #expect(try !#require(lines.all.first).text.contains("hunter2"))
    }

    @Test func levelsBelowAreSilent() {
        let lines = LogLines()
        lines.logger(level: .warning).info("x")
        #expect(lines.all.isEmpty)
    }
}
