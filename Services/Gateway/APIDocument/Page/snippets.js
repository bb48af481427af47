"use strict";

// Client snippets for the requests that the viewer shows. `request` is swagger-ui's: an Immutable map of url, method, headers and body.

const Snippets = (() => {
    const text = (value) => JSON.stringify(String(value));

    // Headers that a client's library writes by itself stay out.
    const headersOf = (request) => {
        const headers = request.get("headers");
        return (headers ? headers.entrySeq().toArray() : []).filter(([name]) => name.toLowerCase() !== "content-length");
    };

    const bodyOf = (request) => {
        const body = request.get("body");
        if (body === undefined || body === null || body === "") return null;
        return typeof body === "string" ? body : JSON.stringify(body.toJS ? body.toJS() : body, null, 2);
    };

    const python = (request) => {
        const lines = ["import requests", "", "answer = requests.request(", `    ${text(request.get("method"))},`, `    ${text(request.get("url"))},`];
        const headers = headersOf(request);
        if (headers.length > 0) {
            lines.push("    headers={", ...headers.map(([name, value]) => `        ${text(name)}: ${text(value)},`), "    },");
        }
        const body = bodyOf(request);
        if (body !== null) lines.push(`    data=${text(body)}.encode(),`);
        lines.push("    timeout=30,", ")", "print(answer.status_code, answer.text)");
        return lines.join("\n");
    };

    const javascript = (request) => {
        const lines = [`const answer = await fetch(${text(request.get("url"))}, {`, `    method: ${text(request.get("method"))},`];
        const headers = headersOf(request);
        if (headers.length > 0) {
            lines.push("    headers: {", ...headers.map(([name, value]) => `        ${text(name)}: ${text(value)},`), "    },");
        }
        const body = bodyOf(request);
        if (body !== null) lines.push(`    body: ${text(body)},`);
        lines.push("});", "console.log(answer.status, await answer.text());");
        return lines.join("\n");
    };

    // Swift writes \u{…} where JSON writes \u….
    const swiftText = (value) => text(value).replace(/\\u([0-9a-fA-F]{4})/g, "\\u{$1}").replace(/\\b/g, "\\u{8}").replace(/\\f/g, "\\u{c}");

    const swift = (request) => {
        const lines = [
            "import Foundation", "#if canImport(FoundationNetworking)", "import FoundationNetworking", "#endif", "",
            `var request = URLRequest(url: URL(string: ${swiftText(request.get("url"))})!)`,
            `request.httpMethod = ${swiftText(request.get("method"))}`,
        ];
        for (const [name, value] of headersOf(request)) {
            lines.push(`request.setValue(${swiftText(value)}, forHTTPHeaderField: ${swiftText(name)})`);
        }
        const body = bodyOf(request);
        if (body !== null) lines.push(`request.httpBody = Data(${swiftText(body)}.utf8)`);
        lines.push("let (data, answer) = try await URLSession.shared.data(for: request)");
        lines.push("print((answer as! HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))");
        return lines.join("\n");
    };

    // The request as it would be sent with the examples of the document, before anybody has tried it.
    const exampleRequest = (system, path, method) => {
        const spec = system.specSelectors.specJson().toJS();
        const operation = spec.paths[path][method];
        const resolve = (value) => (value.$ref ? value.$ref.slice(2).split("/").reduce((at, name) => at[name], spec) : value);
        let url = path;
        const headers = operation.security && operation.security.length > 0 ? { Authorization: "Bearer $TOKEN" } : {};
        for (const parameter of (operation.parameters || []).map(resolve)) {
            const example = parameter.example === undefined ? (parameter.schema || {}).default : parameter.example;
            if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(example));
            if (parameter.in === "header" && example !== undefined) headers[parameter.name] = example;
        }
        const media = ((operation.requestBody || {}).content || {})["application/json"];
        let body;
        if (media) {
            headers["Content-Type"] = "application/json";
            const examples = Object.values(media.examples || {});
            body = JSON.stringify(examples.length > 0 ? resolve(examples[0]).value : media.example, null, 2);
        }
        return system.Im.fromJS({ url: window.location.origin + url, method: method.toUpperCase(), headers, body });
    };

    const plugin = (system) => {
        const { React } = system;
        const Panel = ({ path, method }) => {
            const Inner = system.getComponent("RequestSnippets", true);
            const request = exampleRequest(system.getSystem(), path, method);
            return React.createElement(
                "details", { className: "snippets" },
                React.createElement("summary", null, "Client snippets"),
                React.createElement(Inner, { request }),
            );
        };
        return {
            fn: {
                requestSnippetGenerator_python: python,
                requestSnippetGenerator_javascript: javascript,
                requestSnippetGenerator_swift: swift,
            },
            wrapComponents: {
                responses: (Original) => (props) =>
                    React.createElement(
                        React.Fragment, null,
                        React.createElement(Panel, { path: props.path, method: props.method }),
                        React.createElement(Original, props),
                    ),
            },
        };
    };

    return { plugin };
})();
