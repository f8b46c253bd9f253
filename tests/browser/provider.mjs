// An OpenID Connect provider of one client, with a form that lets everybody in; groups follow from the login: NAME@GROUP.
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "switchyard", client_secret: "client-secret-of-the-tests", redirect_uris: [redirect] }],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  cookies: { keys: ["a key of the tests"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id.split("@")[0], groups: [id.split("@")[1] ?? ""] }) }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
