// What a program in JavaScript does with the endpoint; prints one JSON object of what it got.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.argv[3], maxRetries: 0 });
const messages = [{ role: "user", content: "What do visitors pay a night?" }];
const found = {};

found.models = (await client.models.list()).data.map((model) => model.id);
found.model = (await client.models.retrieve("default")).id;

const answer = await client.chat.completions.create({ model: "default", messages });
found.answer = answer.choices[0].message.content;
found.citation = answer.switchyard?.citations?.[0]?.quote ?? answer.choices[0].message.switchyard?.citations?.[0]?.quote;

found.streamed = "";
const stream = await client.chat.completions.create({
  model: "default", messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  found.streamed += chunk.choices[0]?.delta?.content ?? "";
  found.finish = chunk.choices[0]?.finish_reason ?? found.finish;
  found.usage = chunk.usage ?? found.usage;
}

const vectors = await client.embeddings.create({ model: "switchyard/embeddings", input: ["a mooring", "a berth"] });
found.dimensions = vectors.data.map((item) => item.embedding.length);

const refused = [];
for (const [name, call] of [
  ["unknown", () => client.chat.completions.create({ model: "nowhere", messages })],
  ["key", () => new OpenAI({ baseURL: process.argv[2], apiKey: "sy-wrong", maxRetries: 0 }).models.list()],
]) {
  try {
    await call();
  } catch (error) {
    refused.push([name, error.constructor.name, error.status, typeof error.error?.message]);
  }
}
found.refused = refused;
console.log(JSON.stringify(found));
