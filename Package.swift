// swift-tools-version: 6.2
import PackageDescription

/// Every target is built under the same strictness: Swift 6 mode, the upcoming features that make imports and
/// existentials explicit, and no warning left standing. A computed value, because SwiftPM refuses one constant shared by targets.
var strict: [SwiftSetting] {
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .treatAllWarnings(as: .error),
    ]
}

let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
/// TLS and HTTP/2, which the gateway alone speaks: they bring BoringSSL, which no other process shall link.
let secureHTTP: [Target.Dependency] = [
    nioSSL, nioHTTP1,
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOHTTP2", package: "swift-nio-http2"),
    .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
    .product(name: "NIOHPACK", package: "swift-nio-http2"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
]
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// What every service starts from.
let foundation: [Target.Dependency] = [
    "Models", "Encryption", "Database", "Transport", "ServiceKit",
    hummingbird, lifecycle, logging, metrics, httpTypes, nioCore,
]

/// A service: an executable in `Services/<name>` whose `.sql` migrations are embedded in the binary.
@MainActor func service(_ name: String, _ own: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .executableTarget(
        name: name,
        dependencies: foundation + own,
        path: "Services/\(name)",
        exclude: ["README.md"],
        resources: [.embedInCode("Migrations")] + resources,
        swiftSettings: strict
    )
}

@MainActor func shared(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", resources: resources, swiftSettings: strict)
}

@MainActor func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name,
        dependencies: ["TestSupport"] + dependencies,
        path: "Tests/\(name)",
        exclude: exclude,
        swiftSettings: strict
    )
}

let package = Package(
    name: "switchboard",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "gateway", targets: ["Gateway"]),
        .executable(name: "integrations", targets: ["Integrations"]),
        .executable(name: "campaigns", targets: ["Campaigns"]),
        .executable(name: "webhooks", targets: ["Webhooks"]),
        .executable(name: "sandbox", targets: ["Sandbox"]),
        .executable(name: "launcher", targets: ["Launcher"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "COpenSSL", path: "Shared/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMalloc", path: "Shared/CMalloc"),
        .target(name: "CCurl", path: "Shared/CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CJemalloc", path: "Shared/CJemalloc", linkerSettings: [.linkedLibrary("jemalloc")]),

        shared("Models", []),
        shared("Encryption", ["Models", "COpenSSL"]),
        shared("Database", ["Models", "CLibPQ", logging, lifecycle]),
        shared("Transport", ["Models", "CCurl", logging, httpTypes]),
        shared(
            "ServiceKit",
            [
                "Models", "Encryption", "Database", "Transport",
                hummingbird, lifecycle, signals, logging, metrics, coreMetrics, configuration, httpTypes, nioCore, nioHTTP1,
                nioPosix, "CMalloc",
            ],
            resources: [.embedInCode("Migrations")]
        ),

        service(
            "Gateway",
            [arguments, deque, yams] + secureHTTP,
            resources: [.embedInCode("APIDocument/Fragments"), .embedInCode("APIDocument/Page")]
        ),
        service("Integrations"),
        service("Campaigns"),
        // Blocks pass between its threads all the time, and glibc's heaps make them wait for each other.
        service("Webhooks", ["CJemalloc"]),

        .executableTarget(
            name: "Sandbox",
            dependencies: [hummingbird, lifecycle, logging, httpTypes, nioCore, arguments, "Models", "Encryption"],
            path: "Tests/Sandbox",
            exclude: ["README.md"],
            swiftSettings: strict
        ),
        .target(
            name: "LocalStack",
            dependencies: ["Models", "Encryption", "Transport", "ServiceKit", logging, httpTypes, nioCore, nioHTTP1, nioPosix],
            path: "Tests/LocalStack",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Launcher",
            dependencies: ["LocalStack", "Models", signals, arguments],
            path: "compose/Launcher",
            swiftSettings: strict
        ),

        .target(
            name: "TestSupport",
            dependencies: foundation + ["LocalStack"],
            path: "Tests/TestSupport",
            swiftSettings: strict
        ),
        tests("ModelsTests", ["Models"]),
        tests("EncryptionTests", ["Models", "Encryption"]),
        tests("DatabaseTests", ["Models", "Database", logging]),
        tests("TransportTests", ["Models", "Transport", logging, httpTypes]),
        tests("ServiceKitTests", foundation),
        tests("GatewayTests", foundation + ["Gateway", "LocalStack", yams, nioPosix, nioSSL]),
        tests("IntegrationsTests", foundation + ["Integrations"]),
        tests("CampaignsTests", foundation + ["Campaigns"]),
        tests("WebhooksTests", foundation + ["Webhooks"], exclude: ["requirements.txt", "verify.py"]),
        tests("EndToEndTests", foundation + ["LocalStack", "Sandbox"]),
    ]
)
