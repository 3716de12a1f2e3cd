// What the page does in the browser, by the names of the steps.
globalThis.steps = {
  /** Makes a topic, publishes to it and reads it; a refusal is read as a problem. */
  async fetch({ partitions }) {
    const created = await fetch("/v1/topics/fetched", { method: "PUT", body: JSON.stringify({ partitions }) });
    const published = await fetch("/v1/topics/fetched/publish?partition=0", { method: "POST", body: "a coffee ☕" });
    const { partition, offset } = await published.json();
    const read = await fetch(`/v1/topics/fetched/partitions/${partition}/messages?offset=${offset}`);
    const bytes = Uint8Array.from(atob((await read.json()).messages[0].data), (byte) => byte.charCodeAt(0));
    const refused = await fetch("/v1/topics/nowhere");
    return { created: created.status, text: new TextDecoder().decode(bytes), refused: (await refused.json()).code };
  },

  /** On a page of another origin: what it may do with the node, and the name of the error where its browser keeps it from that. */
  async foreign({ node }) {
    const tell = (what) => what().catch(({ name }) => name);
    return {
      created: await tell(async () => (await fetch(`${node}/v1/topics/foreign`, { method: "PUT", body: '{"partitions":1}' })).status),
      published: await tell(async () => {
        const headers = { "Pubsub-Attr-Colour": "red" }; // not without asking first
        const answer = await fetch(`${node}/v1/topics/foreign/publish`, { method: "POST", headers, body: "from elsewhere" });
        return { offset: (await answer.json()).offset, hasId: answer.headers.has("Pubsub-Request-Id") };
      }),
      read: await tell(async () => {
        const { messages } = await (await fetch(`${node}/v1/topics/foreign/partitions/0/messages`)).json();
        return messages.map(({ data, attributes }) => [atob(data), attributes.colour]);
      }),
      refused: await tell(async () => (await (await fetch(`${node}/v1/topics/nowhere`)).json()).code),
    };
  },

  /** Reads a topic to which it publishes over the same connection. */
  websocket() {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${location.host}/v1/ws`, "pubsub.v1.json");
      let text;
      const send = (frame) => socket.send(JSON.stringify(frame));
      socket.onopen = () => send({ op: "subscribe", ref: 1, topic: "fetched", from: "latest", credit: 1 });
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.op === "error") reject(new Error(data));
        if (frame.op === "subscribed") send({ op: "publish", ref: 2, topic: "fetched", messages: [{ text: "over WebSocket" }] });
        if (frame.op !== "messages") return;
        text = atob(frame.messages[0].data);
        socket.close(1000);
      };
      socket.onclose = ({ code }) => resolve({ protocol: socket.protocol, text, close: code });
    });
  },

  /** Waits until so many events have come over one stream, however often the browser has to connect for it. */
  listen({ until }) {
    steps.stream ??= (() => {
      const stream = { places: [], connections: 0, changed() {} };
      const source = new EventSource("/v1/topics/stream/events?from=earliest");
      source.onopen = () => { stream.connections += 1; };
      source.onmessage = ({ data }) => {
        const { partition, offset } = JSON.parse(data);
        stream.places.push(`${partition}/${offset}`);
        stream.changed();
      };
      source.onerror = () => { if (source.readyState === EventSource.CLOSED) stream.changed(new Error("the browser gave up")); };
      return stream;
    })();
    return new Promise((resolve, reject) => {
      const { stream } = steps;
      stream.changed = (fault) => {
        if (fault) reject(fault);
        if (stream.places.length >= until) resolve({ places: stream.places, connections: stream.connections });
      };
      stream.changed();
    });
  },
};
