"use strict";

window.addEventListener("DOMContentLoaded", () => {
    window.viewer = SwaggerUIBundle({
        url: "/api/v1/openapi.json",
        dom_id: "#document",
        deepLinking: true,
        filter: true,
        docExpansion: "list",
        defaultModelsExpandDepth: 0,
        displayRequestDuration: true,
        persistAuthorization: false,
        validatorUrl: null,
        requestSnippetsEnabled: true,
        requestSnippets: {
            generators: {
                curl_bash: { title: "curl", syntax: "bash" },
                python: { title: "Python", syntax: "python" },
                javascript: { title: "JavaScript", syntax: "javascript" },
                swift: { title: "Swift", syntax: "swift" },
            },
            defaultExpanded: true,
            languages: ["curl_bash", "python", "javascript", "swift"],
        },
        presets: [SwaggerUIBundle.presets.apis],
        plugins: [Snippets.plugin],
    });
});
