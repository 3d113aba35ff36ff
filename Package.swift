// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 mode, strict memory safety, and no warning survives a build.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Release builds: one optimisation over all modules, no run-time checks for overlapping access or for the executor that code
/// runs on (debug builds, which the tests run, make those), and references counted without atomic operations: each process
/// has one thread of Swift code, and the other one (NameLookup) touches nothing that is counted. What one module offers to
/// another is `public`: into `package` functions the optimiser of another module does not look, which cost 11 % of a
/// request's instructions.
let fast: [SwiftSetting] = [
    .unsafeFlags(
        [
            "-cross-module-optimization", "-Xllvm", "-cmo-function-size-limit=400", "-enforce-exclusivity=unchecked",
            "-Xfrontend", "-assume-single-threaded", "-disable-dynamic-actor-isolation", "-Xfrontend",
            "-function-sections",
        ],
        .when(configuration: .release))
]

/// The functions that every request runs lie side by side in the executable, instead of among 7 MB of others: `make guard`
/// says which they are. Of those that the list names and that are not there any more nothing is said.
let ordered: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Sources/link-order.txt",
            "-Xlinker", "--no-warn-symbol-ordering",
        ],
        .when(configuration: .release))
]

/// The tests speak to processes through Foundation, which is not annotated for strict memory safety.
let strictTests: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// With TAGWAY_FUZZ set, the entries in Tests/Fuzz become a program that libFuzzer drives (`make fuzz`) instead of tests
/// over its corpora.
let fuzz: Target =
    Context.environment["TAGWAY_FUZZ"] == nil
    ? .testTarget(
        name: "FuzzTests", dependencies: ["Worker", "Shared"], path: "Tests/Fuzz",
        exclude: ["Main.swift", "Corpus", "run.sh"],
        swiftSettings: strictTests)
    : .executableTarget(
        name: "tagway-fuzz", dependencies: ["Worker", "Shared"], path: "Tests/Fuzz",
        exclude: ["CorpusTests.swift", "Corpus", "run.sh"],
        swiftSettings: strictTests + [.unsafeFlags(["-parse-as-library"])],
        // gold cannot link libFuzzer into a program with a main of its own.
        linkerSettings: [.unsafeFlags(["-use-ld=lld"])])

/// With TAGWAY_CHOICE set, the program that `make choice` measures with; nobody else builds it.
let choice: [Target] =
    Context.environment["TAGWAY_CHOICE"] == nil
    ? []
    : [
        .executableTarget(
            name: "tagway-choice", dependencies: ["Worker", "Shared"], path: "bench/choice",
            swiftSettings: strictTests + fast + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "tagway",
    products: [.executable(name: "tagway", targets: ["tagway"])],
    dependencies: [],
    targets: [
        .systemLibrary(name: "CLinux", path: "Sources/Shared/Linux/CLinux"),
        .systemLibrary(name: "CYAML", path: "Sources/Shared/Config/CYAML", pkgConfig: "yaml-0.1"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Worker/TLS/COpenSSL", pkgConfig: "openssl"),
        .target(
            name: "Shared", dependencies: ["CLinux", "CYAML"], exclude: ["Linux/CLinux", "Config/CYAML"],
            swiftSettings: strict + fast),
        .target(
            name: "Worker", dependencies: ["Shared", "COpenSSL"], exclude: ["TLS/COpenSSL"],
            swiftSettings: strict + fast),
        .executableTarget(
            name: "tagway", dependencies: ["Shared", "Worker"], path: "Sources/Supervisor",
            swiftSettings: strict + fast, linkerSettings: ordered),
        .executableTarget(
            name: "mock-upstream", path: "Tests/MockUpstream", swiftSettings: strictTests),
        .executableTarget(
            name: "load-generator", dependencies: ["Shared", "Worker"], path: "Tests/LoadGenerator",
            swiftSettings: strictTests),
        .testTarget(name: "SharedTests", dependencies: ["Shared"], swiftSettings: strictTests),
        .testTarget(name: "WorkerTests", dependencies: ["Worker", "Shared"], swiftSettings: strictTests),
        .testTarget(name: "SupervisorTests", dependencies: ["tagway", "Shared"], swiftSettings: strictTests),
        .testTarget(name: "LayeringTests", swiftSettings: strictTests),
        .testTarget(
            name: "EndToEndTests", dependencies: ["tagway", "mock-upstream", "load-generator", "Shared"],
            exclude: ["SDK", "Python", "Faults", "soak.sh", "soak-table.sh"],
            swiftSettings: strictTests),
        fuzz,
    ] + choice
)
