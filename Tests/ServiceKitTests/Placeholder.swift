import Testing

@Suite struct ServiceKitPlaceholder {
    @Test func placeholder() {}
}
