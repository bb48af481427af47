import Testing

@Suite struct CampaignsPlaceholder {
    @Test func placeholder() {}
}
