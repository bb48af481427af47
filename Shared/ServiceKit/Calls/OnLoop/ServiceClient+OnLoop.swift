import HTTPTypes
import Models
import NIOHTTP1
import Transport

extension ServiceClient {
    /// Begins a GET over connections of an event loop. Called on that loop, where ``canBeginOnLoops``.
    package func begin(_ request: LoopRequest, on calls: LoopCalls, for receiver: any CallReceiver) -> LoopCall {
        let call = LoopCall(request, by: self, on: calls, for: receiver)
        call.begin()
        return call
    }

    /// As it goes to one replica.
    func head(of request: LoopRequest, at index: Int) throws -> HTTPRequestHead {
        let identity = self.identity(request.principal, request.requestID, request.publicURL, request.clientAddress)
        let signed = SignedRequest(method: "GET", path: request.target, body: .bytes([]))
        var headers = request.headers
        headers.append(("Host", try self.origins[index].get().authority))
        headers.append((HTTPField.Name.switchboardIdentity.rawName, try self.identities.sign(identity, for: signed)))
        headers.append((HTTPField.Name.requestID.rawName, request.requestID))
        headers.append((HTTPField.Name.traceParent.rawName, request.traceParent.description))
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: request.target, headers: HTTPHeaders(headers))
    }
}
