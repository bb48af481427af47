import Testing

@Suite struct WebhooksPlaceholder {
    @Test func placeholder() {}
}
