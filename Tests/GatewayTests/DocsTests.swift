import Foundation
import Models
import TestSupport
import Testing

@testable import Gateway

/// The document and the pages as the gateway serves them.
@Suite struct DocsTests {
    @Test func theDocumentIsServedTwiceAndRevalidated() async throws {
        try await withGateway { gateway in
            let json = try await gateway.door.send("GET", "/api/v1/openapi.json")
            #expect(json.status == 200 && json.header("Content-Type") == "application/json")
            #expect(json.header("Cache-Control") == "public, max-age=300")
            #expect(json.json["servers"]?.arrayValue?.last?["url"] == "https://gateway.test")
            let yaml = try await gateway.door.send("GET", "/api/v1/openapi.yaml")
            #expect(yaml.header("Content-Type") == "application/yaml")
            #expect(try YAMLText.parse(yaml.text) == json.json)
            let tag = try #require(json.header("ETag"))
            for given in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                let same = try await gateway.door.send("GET", "/api/v1/openapi.json", headers: [("If-None-Match", given)])
                #expect(same.status == 304 && same.body.isEmpty && same.header("ETag") == tag, "\(given)")
            }
            let other = try await gateway.door.send("GET", "/api/v1/openapi.json", headers: [("If-None-Match", "\"other\"")])
            #expect(other.status == 200 && other.body == json.body)
        }
    }

    @Test(arguments: Problem.Kind.allCases) func everyKindOfProblemHasAPage(_ kind: Problem.Kind) {
        let page = ProblemPages.page(of: kind).text
        #expect(page.contains("<h1>") && page.contains(String(kind.status)) && page.contains("What to do"))
        #expect(ProblemPages.index.text.contains("href=\"/problems/\(kind.rawValue)\""))
        #expect(ProblemGuide(kind).example.kind == kind)
        #expect(kind.typeValue == .string("/problems/\(kind.rawValue)"), "the type leads to the page")
    }

    @Test func pagesRunNothingButTheirOwnFiles() async throws {
        try await withGateway { gateway in
            for path in ["/docs", "/problems", "/problems/not-found"] {
                let page = try await gateway.door.send("GET", path)
                #expect(page.status == 200 && page.header("Content-Type") == "text/html; charset=utf-8", "\(path)")
                let policy = try #require(page.header("Content-Security-Policy"))
                #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"))
                #expect(page.header("X-Frame-Options") == "DENY" && page.header("X-Content-Type-Options") == "nosniff")
                #expect(!page.text.contains("<script>"))
            }
            #expect(try await gateway.door.send("GET", "/problems/unknown").status == 404)
            #expect(
                try await gateway.door.send("GET", "/docs").text.contains("DOCS_ASSETS"),
                "without a viewer the page says what is missing"
            )
        }
    }

    @Test func theViewerComesFromItsDirectoryAndNothingElseDoes() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "docs-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for name in Array(DocsAssets.viewer.keys) + ["secret.txt"] {
            try Data("content of \(name)".utf8).write(to: URL(filePath: "\(directory)/\(name)"))
        }
        try await withGateway(.init(variables: ["DOCS_ASSETS": directory])) { gateway in
            let page = try await gateway.door.send("GET", "/docs")
            let address = try #require(page.text.firstMatch(of: /\/docs\/swagger-ui-bundle\.js\?v=[A-Za-z0-9_-]+/)?.output)
            let script = try await gateway.door.send("GET", String(address))
            #expect(script.text == "content of swagger-ui-bundle.js" && script.header("Content-Type") == "text/javascript; charset=utf-8")
            #expect(script.header("Cache-Control") == "public, max-age=31536000, immutable")
            let unversioned = try await gateway.door.send("GET", "/docs/swagger-ui-bundle.js?v=1")
            #expect(unversioned.status == 200 && unversioned.header("Cache-Control") == "no-cache")
            for name in ["secret.txt", "..%2Fsecret.txt", "%2e%2e", "SWAGGER-UI.CSS"] {
                #expect(try await gateway.door.send("GET", "/docs/\(name)").status == 404, "\(name)")
            }
            #expect(try await gateway.door.send("GET", "/docs/swagger-ui-bundle.js%00").status == 400)
        }
    }

    @Test func textInPagesIsEscaped() {
        let html: HTMLText = "<p>\("<script>'\"&")</p>\(code: "a `b<c` d")"
        #expect(html.text == "<p>&lt;script&gt;&#39;&quot;&amp;</p>a <code>b&lt;c</code> d")
    }
}
