// For programs: the three calls, the OpenAI client, the descriptions of the API.
import { h, fill, button, toast } from "../lib/dom.js";

export async function show(main) {
  const at = location.origin;
  const services = document.documentElement.dataset.services.split(" ");
  const calls = [
    ["Add a document", `curl -H "X-API-Key: $KEY" -F files=@report.pdf ${at}/rag/v1/documents`],
    ["Ask it", `curl -H "X-API-Key: $KEY" -H 'Content-Type: application/json' \\\n  -d '{"question": "What was decided?"}' ${at}/rag/v1/query`],
    ["Make a note of a transcript", `curl -H "X-API-Key: $KEY" -F file=@meeting.vtt ${at}/notes/v1/notes`],
    ["As a model, with any OpenAI client", `from openai import OpenAI\n\nclient = OpenAI(base_url="${at}/rag/v1", api_key=KEY)\nanswer = client.chat.completions.create(\n    model="default",  # the collection\n    messages=[{"role": "user", "content": "What was decided?"}],\n)\nprint(answer.choices[0].message.content)`],
  ];
  fill(main, h("div", { class: "page" }, h("h1", {}, "For programs"),
    h("p", {}, "Everything on this page is also in the API. Programs send an API key, ", h("code", {}, "Authorization: Bearer KEY"), " or ", h("code", {}, "X-API-Key: KEY"), "; administrators make keys on the page ", h("a", { href: "#/keys" }, "Keys"), "."),
    calls.map(([title, text]) => h("section", {}, h("h2", {}, title), h("div", { class: "snippet" }, h("pre", { tabindex: "0" }, h("code", {}, text)), button("Copy", () => navigator.clipboard.writeText(text).then(() => toast("Copied."), () => toast("The browser does not allow it here.", { kind: "bad" })))))),
    h("h2", {}, "Descriptions of the API"),
    h("ul", {}, services.map(service => h("li", {}, `${service}: `, h("a", { href: `/${service}/docs` }, "documentation"), ", ", h("a", { href: `/${service}/openapi.json` }, "OpenAPI"), ", ", h("a", { href: `/${service}/health` }, "health"))))));
}
