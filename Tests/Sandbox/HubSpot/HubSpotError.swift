import Foundation
import HTTPTypes
import Hummingbird
import Models

/// A refusal in HubSpot's shape.
struct HubSpotError: Error {
    var status: Int
    var category: String
    var message: String
    var subCategory: String?
    var context: [String: JSONValue] = [:]
    /// `errorType` and `policyName` stand in rate-limit answers instead of the category.
    var policyName: String?

    static func validation(_ message: String) -> HubSpotError { HubSpotError(status: 400, category: "VALIDATION_ERROR", message: message) }

    static let invalidJSON = HubSpotError.validation("Invalid input JSON on line 1, column 1: Cannot deserialize value")

    static func unknownProperty(_ name: String) -> HubSpotError {
        .validation(
            "Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"\(name)\\\" does not exist\","
                + "\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"\(name)\"}]"
        )
    }

    static let unauthenticated = HubSpotError(
        status: 401,
        category: "INVALID_AUTHENTICATION",
        message: "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
            + "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
    )

    static let expired = HubSpotError(
        status: 401,
        category: "EXPIRED_AUTHENTICATION",
        message: "The OAuth token used to make this call expired 5 second(s) ago.",
        context: ["expire time": .array([.string(Clock.text(Clock.now() - 5000))])]
    )

    static let notFound = HubSpotError(status: 404, category: "OBJECT_NOT_FOUND", message: "resource not found")

    static func exists(_ id: Int64) -> HubSpotError {
        HubSpotError(status: 409, category: "CONFLICT", message: "Contact already exists. Existing ID: \(id)", subCategory: nil)
    }

    static let tooMany = HubSpotError(
        status: 429,
        category: "RATE_LIMITS",
        message: "You have reached your ten_secondly_rolling limit.",
        policyName: "TEN_SECONDLY_ROLLING"
    )

    static let tooManySearches = HubSpotError(
        status: 429,
        category: "RATE_LIMITS",
        message: "You have reached your secondly limit.",
        policyName: "SECONDLY"
    )

    static func other(_ status: Int) -> HubSpotError { HubSpotError(status: status, category: "INTERNAL_ERROR", message: "internal error") }

    func response(correlationID: String) -> Response {
        var members: [String: JSONValue] = [
            "status": "error", "message": .string(self.message), "correlationId": .string(correlationID),
        ]
        if let policyName {
            members["errorType"] = "RATE_LIMIT"
            members["policyName"] = .string(policyName)
        } else {
            members["category"] = .string(self.category)
        }
        members["subCategory"] = self.subCategory.map(JSONValue.string)
        if !self.context.isEmpty { members["context"] = .object(self.context) }
        return .json(.object(members), status: HTTPResponse.Status(code: self.status))
            .adding([("x-hubspot-correlation-id", correlationID)])
    }
}
