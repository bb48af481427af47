package import Models
package import NIOCore
import NIOHTTP1

extension ChannelHandlerContext {
    /// Answers a request that goes no further than the door with a problem, the connection's last word. Not flushed.
    /// - promise: for when all of it is written.
    package func writeLast(_ problem: Problem, promise: EventLoopPromise<Void>?) {
        let requestID = RequestIdentifiers.requestID(given: nil)
        let body = self.channel.allocator.buffer(bytes: problem.json(requestID: requestID).serialized())
        let headers: HTTPHeaders = [
            "Content-Type": Problem.mediaType, "Content-Length": String(body.readableBytes), "Connection": "close",
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": requestID,
        ]
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: problem.kind.status), headers: headers)
        self.write(NIOAny(HTTPServerResponsePart.head(head)), promise: nil)
        self.write(NIOAny(HTTPServerResponsePart.body(.byteBuffer(body))), promise: nil)
        self.write(NIOAny(HTTPServerResponsePart.end(nil)), promise: promise)
    }
}
