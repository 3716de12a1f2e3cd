// Shows what /openapi.json and /asyncapi.json say, and sends requests to the node that gave them. All text is set as
// text, never as markup: what a description or an answer holds can't become part of the page.
"use strict";

const METHODS = ["get", "put", "post", "patch", "delete"];
const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings become text. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null));
  return made;
}

/** Text in which `code` stands out. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function folded(title, content, properties = {}) {
  return element("details", properties, element("summary", {}, title), element("div", {}, content));
}

const pretty = (value) => JSON.stringify(value, null, 2);

/** What a reference within a description stands for. */
function resolve(root, schema) {
  if (!schema || !schema.$ref) return schema ?? {};
  const path = schema.$ref.slice(2).split("/");
  return path.reduce((value, name) => value?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], root) ?? {};
}

const nameOf = (schema) => schema.$ref?.split("/").pop();
const isNull = (schema) => schema.type === "null";

/** A schema's type in a few words. */
function typeOf(root, schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.anyOf ?? (schema.properties ? undefined : schema.oneOf);
  if (options) return options.map((option) => typeOf(root, option)).join(" | ");
  const types = [schema.type ?? "anything"].flat();
  return types.map((type) => (type === "array" ? `list of ${typeOf(root, schema.items ?? {})}` : type)).join(" | ");
}

/** A schema's bounds in a few words. */
function boundsOf(schema) {
  const words = [];
  const known = { minimum: "at least", maximum: "at most", minLength: "length at least", maxLength: "length at most",
    minItems: "items at least", maxItems: "items at most", maxProperties: "entries at most", format: "format",
    pattern: "pattern", default: "by default" };
  for (const [keyword, word] of Object.entries(known)) {
    if (schema[keyword] !== undefined) words.push(`${word} ${schema[keyword]}`);
  }
  return words.join(", ");
}

/** The schema below a schema that has fields worth showing. */
function inner(root, schema) {
  const resolved = resolve(root, schema);
  if (resolved.items) return inner(root, resolved.items);
  const option = (resolved.anyOf ?? []).filter((one) => !isNull(one));
  if (!resolved.properties && option.length === 1) return inner(root, option[0]);
  return resolved;
}

/** The fields of a schema; what is nested is folded. */
function fields(root, schema, depth = 0) {
  const found = inner(root, schema);
  if (!found.properties) return valuesOf(root, found);
  const required = new Set(found.required ?? []);
  const rows = Object.entries(found.properties).map(([name, field]) => {
    const head = [element("code", {}, name), " ", element("span", { className: "faint" }, typeOf(root, field),
      required.has(name) ? ", required" : "")];
    const text = field.description ?? resolve(root, field).description;
    const bounds = boundsOf(field);
    const below = inner(root, field);
    const nested = depth < 4 && (below.properties || below.oneOf?.every((one) => one.const !== undefined));
    return element("li", {}, head, text ? element("div", {}, prose(text)) : null,
      bounds ? element("div", { className: "faint" }, bounds) : null,
      nested ? folded(`${name} in detail`, fields(root, field, depth + 1)) : null);
  });
  return element("ul", { className: "fields" }, rows);
}

/** The values of a schema that has a list of them. */
function valuesOf(root, schema) {
  const options = (schema.oneOf ?? schema.anyOf ?? []).map((one) => [one, resolve(root, one)]);
  if (!options.length) return element("p", { className: "faint" }, typeOf(root, schema), " ", boundsOf(schema));
  return element("ul", { className: "fields" }, options.map(([one, resolved]) => element("li", {},
    element("code", {}, typeOf(root, one)), " ", prose(one.description ?? resolved.description),
    resolved.properties ? fields(root, resolved, 3) : null)));
}

function parameterTable(root, parameters) {
  const rows = parameters.map((one) => element("tr", {}, element("td", {}, element("code", {}, one.name)),
    element("td", {}, one.in, one.required ? ", required" : ""),
    element("td", {}, prose(one.description), element("div", { className: "faint" }, typeOf(root, one.schema), " ",
      boundsOf(one.schema)))));
  return element("div", { className: "scroll" }, element("table", {}, element("tbody", {}, rows)));
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as the form has it. */
function requestOf(path, method, form) {
  const query = new URLSearchParams();
  const headers = {};
  let filled = path;
  for (const { parameter, input } of form.inputs) {
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value === "") continue;
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  const body = form.body?.value ? form.body.value : undefined;
  if (body !== undefined) headers["Content-Type"] = form.media.value;
  if (byId("key").value) headers.Authorization = `Bearer ${byId("key").value}`;
  const target = filled + (query.size ? `?${query}` : "");
  return { target, options: { method: method.toUpperCase(), headers, body } };
}

/** The same for a shell; the key stands there as a variable. */
function curlOf({ target, options }) {
  const words = ["curl", "-i"];
  if (options.method !== (options.body === undefined ? "GET" : "POST")) words.push("-X", options.method);
  words.push(quoted(location.origin + target));
  for (const [name, value] of Object.entries(options.headers)) {
    words.push("-H", name === "Authorization" ? `"Authorization: Bearer $KEY"` : quoted(`${name}: ${value}`));
  }
  if (options.body !== undefined) words.push("--data-binary", quoted(options.body));
  return words.join(" ");
}

/** Sends the request and shows what comes back. */
async function send(request, shown) {
  shown.textContent = "…";
  try {
    const started = performance.now();
    const answer = await fetch(request.target, { ...request.options, redirect: "manual", credentials: "omit" });
    const text = await answer.text();
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    let body = text;
    try { body = pretty(JSON.parse(text)); } catch { /* It is no JSON: shown as it came. */ }
    const time = Math.round(performance.now() - started);
    shown.textContent = `${answer.status} ${answer.statusText} in ${time} ms\n${head}\n\n${body}`;
  } catch (fault) {
    shown.textContent = `No answer: ${fault.message}`;
  }
}

/** The inputs of a request, filled with its example. */
function formOf(path, method, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const input = element("input", { value: parameter.example ?? "", required: parameter.required });
    return { parameter, input, label: element("label", {}, element("code", {}, parameter.name), " ", input) };
  });
  const contents = operation.requestBody?.content;
  if (!contents) return { inputs };
  const media = element("select", {}, Object.keys(contents).map((type) => element("option", {}, type)));
  const body = element("textarea", { rows: 8, spellcheck: false });
  const examples = element("select", {});
  const fill = () => {
    const value = contents[media.value].examples?.[examples.value]?.value ?? "";
    body.value = typeof value === "string" ? value : pretty(value);
  };
  const list = () => {
    examples.replaceChildren(...Object.keys(contents[media.value].examples ?? {}).map((name) => element("option", {}, name)));
    fill();
  };
  media.addEventListener("change", list);
  examples.addEventListener("change", fill);
  list();
  return { inputs, body, media, examples };
}

/** The part of an operation in which it is tried out. */
function trial(path, method, operation) {
  const form = formOf(path, method, operation);
  const curl = element("pre", { tabIndex: 0 });
  const shown = element("pre", { className: "answer", tabIndex: 0, hidden: true, ariaLive: "polite" });
  const renew = () => { curl.textContent = curlOf(requestOf(path, method, form)); };
  const copy = element("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(curl.textContent); copy.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(curl); copy.textContent = "Selected: press Ctrl+C"; }
  });
  const made = element("form", {}, element("h3", {}, "Try it"),
    element("div", { className: "row" }, form.inputs.map((one) => one.label)),
    form.body ? element("div", { className: "row" }, element("label", {}, "Type ", form.media),
      element("label", {}, "Example ", form.examples)) : null,
    form.body ? element("label", {}, "Body", form.body) : null,
    element("div", { className: "row" }, element("button", {}, "Send"), copy), curl, shown);
  made.addEventListener("input", renew);
  made.addEventListener("change", renew);
  byId("key").addEventListener("input", renew);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    shown.hidden = false;
    send(requestOf(path, method, form), shown);
  });
  renew();
  return made;
}

/** What an operation answers. */
function answers(root, operation) {
  return Object.entries(operation.responses).map(([status, response]) => {
    const resolved = resolve(root, response);
    const schema = Object.values(resolved.content ?? {})[0]?.schema;
    const title = [element("code", {}, status), " ", prose(resolved.description)];
    return schema && status < 300 ? folded(title, fields(root, schema)) : element("div", {}, title);
  });
}

function operationOf(root, path, method, operation) {
  const content = element("div", {});
  const shown = element("details", { className: "operation", id: operation.operationId },
    element("summary", {}, element("span", { className: `method ${method}` }, method.toUpperCase()),
      element("code", { className: "path" }, path), element("span", {}, operation.summary)), content);
  shown.dataset.words = `${method} ${path} ${operation.summary} ${operation.description}`.toLowerCase();
  // Built when it is opened for the first time: most are not.
  shown.addEventListener("toggle", () => {
    if (!shown.open || content.childElementCount) return;
    const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
    const parameters = operation.parameters ?? [];
    content.append(element("p", {}, prose(operation.description)),
      ...(operation.security ? [element("p", { className: "faint" }, "Needs no key.")] : []),
      ...(parameters.length ? [element("h3", {}, "Parameters"), parameterTable(root, parameters)] : []),
      ...(body ? [element("h3", {}, "Body"), fields(root, body)] : []),
      element("h3", {}, "Answers"), ...answers(root, operation), trial(path, method, operation));
  });
  return shown;
}

function section(title, text, content) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  byId("contents").append(element("a", { href: `#${id}` }, title));
  return element("section", {}, element("h2", { id }, title), element("p", {}, prose(text)), content);
}

function operationSections(root) {
  const all = Object.entries(root.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => ({ path, method, operation: item[method] })));
  return root.tags.map((tag) => section(tag.name, tag.description, all.filter((one) => one.operation.tags[0] === tag.name)
    .map((one) => operationOf(root, one.path, one.method, one.operation))));
}

function frameSection(root) {
  const frames = Object.entries(root.operations).flatMap(([, operation]) => [...operation.messages,
    ...(operation.reply?.messages ?? [])].map((message) => [nameOf(message), operation.action]));
  const fromClient = new Set(frames.filter(([name, action]) => action === "receive"
    && root.operations[`receive_${name}`]).map(([name]) => name));
  const shown = Object.entries(root.components.messages).sort(([a], [b]) => fromClient.has(b) - fromClient.has(a))
    .map(([name, message]) => {
      const who = fromClient.has(name) ? "from the client" : "from the node";
      const title = [element("code", {}, name), " ", element("span", { className: "faint" }, who), " ", message.summary];
      const example = message.examples?.[0]?.payload;
      const made = folded(title, [fields(root, message.payload), element("h3", {}, "Example"),
        element("pre", { tabIndex: 0 }, pretty(example))], { className: "operation" });
      made.dataset.words = `${name} ${message.summary} websocket frame`.toLowerCase();
      return made;
    });
  return section("WebSocket frames", root.info.description, shown);
}

function codeSection(root) {
  const rows = root.components.schemas.Code["x-codes"].map((one) => element("tr", {},
    element("td", {}, element("code", {}, one.code)), element("td", {}, String(one.status)),
    element("td", {}, prose(one.meaning), one.retryable ? " May be tried again." : "")));
  const table = element("div", { className: "scroll" }, element("table", {}, element("tbody", {}, rows)));
  return section("Problem codes", "What `code` says in a problem.", table);
}

function find() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of document.querySelectorAll(".operation")) {
    one.hidden = !words.every((word) => one.dataset.words.includes(word));
  }
}

/** Opens the operation that the address names. */
function follow() {
  const named = byId(decodeURIComponent(location.hash.slice(1)));
  if (named?.tagName === "DETAILS") {
    named.open = true;
    named.scrollIntoView();
  }
}

async function start() {
  const load = async (path) => (await fetch(path)).json();
  const [http, websocket] = await Promise.all([load("/openapi.json"), load("/asyncapi.json")]);
  byId("version").textContent = http.info.version;
  byId("introduction").replaceChildren(...prose(http.info.description));
  byId("operations").append(...operationSections(http), frameSection(websocket), codeSection(http));
  byId("find").addEventListener("input", find);
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  follow();
  document.body.dataset.ready = "yes";
}

start().catch((fault) => { byId("introduction").textContent = `The descriptions can't be shown: ${fault.message}`; });
