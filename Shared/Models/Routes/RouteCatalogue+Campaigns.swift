extension RouteCatalogue {
    package static let campaigns: [Route] =
        [
            .listContacts, .getContact,
            .createCampaign, .listCampaigns, .getCampaign, .updateCampaign, .deleteCampaign,
            .scheduleCampaign, .sendCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign, .listMessages,
            .nudgeChanges,
        ] + campaignsAdmin
}

extension Route {
    package static let listContacts = Route(
        .get,
        "/api/v1/contacts",
        .campaigns,
        .member(.viewer, .contactsRead),
        "List contacts"
    )
    package static let getContact = Route(
        .get,
        "/api/v1/contacts/{id}",
        .campaigns,
        .member(.viewer, .contactsRead),
        "One contact"
    )
    package static let createCampaign = Route(
        .post,
        "/api/v1/campaigns",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Create a campaign",
        idempotent: true
    )
    package static let listCampaigns = Route(
        .get,
        "/api/v1/campaigns",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "List campaigns"
    )
    package static let getCampaign = Route(
        .get,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "One campaign with its counts"
    )
    package static let updateCampaign = Route(
        .patch,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Change a draft or scheduled campaign"
    )
    package static let deleteCampaign = Route(
        .delete,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Delete a campaign that was never sent"
    )
    package static let scheduleCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/schedule",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Send at a time",
        idempotent: true
    )
    package static let sendCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/send",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Send now",
        idempotent: true
    )
    package static let pauseCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/pause",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Stop claiming messages"
    )
    package static let resumeCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/resume",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Go on after a pause"
    )
    package static let cancelCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/cancel",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Give up what is not sent yet"
    )
    package static let listMessages = Route(
        .get,
        "/api/v1/campaigns/{id}/messages",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "Messages of a campaign, by state"
    )
    package static let nudgeChanges = Route(
        .post,
        "/internal/nudges/changes",
        .campaigns,
        .service([.integrations]),
        "The change feed of an organization has grown"
    )
}
