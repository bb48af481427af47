import Foundation
import Models
import Synchronization

/// The files of the docs page: our own, and the viewer's (swagger-ui), which lie in a directory beside the program.
final class DocsAssets: Sendable {
    /// The viewer's files by name. No other name is ever looked up in the directory.
    static let viewer = [
        "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "swagger-ui.css": "text/css; charset=utf-8",
        "favicon-32x32.png": "image/png",
        "LICENSE": "text/plain; charset=utf-8",
    ]

    private static let own: [String: (bytes: [UInt8], type: String)] = [
        "page.js": (PackageResources.page_js, "text/javascript; charset=utf-8"),
        "snippets.js": (PackageResources.snippets_js, "text/javascript; charset=utf-8"),
        "page.css": (PackageResources.page_css, "text/css; charset=utf-8"),
    ]

    private let directory: String?
    private let read = Mutex<[String: ServedFile]>([:])

    /// - directory: where the viewer's files are; nil where it is not installed.
    init(directory: String?) { self.directory = directory }

    /// True where every file of the viewer is there.
    var hasViewer: Bool { Self.viewer.keys.allSatisfy { (try? self.file($0)) != nil } }

    /// - Throws: 404 for every other name, and for a file that is not there.
    func file(_ name: String) throws -> ServedFile {
        if let file = self.read.withLock({ $0[name] }) { return file }
        let file: ServedFile
        if let own = Self.own[name] {
            file = try ServedFile(own.bytes, type: own.type)
        } else if let type = Self.viewer[name], let directory = self.directory,
            let data = FileManager.default.contents(atPath: "\(directory)/\(name)")
        {
            file = try ServedFile([UInt8](data), type: type)
        } else {
            throw Problem.notFound
        }
        self.read.withLock { $0[name] = file }
        return file
    }

    /// The file's address with its version: what is fetched from there never changes.
    func address(_ name: String) throws -> String {
        "/docs/\(name)?v=\(try self.file(name).tag.filter { $0 != "\"" })"
    }
}
