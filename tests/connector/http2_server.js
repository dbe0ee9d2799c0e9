// Says by which version of HTTP it was asked; over TLS with the files that the
// arguments name.

const [certificate, key] = Deno.args;
const tls = certificate === undefined ? {} : {
  cert: Deno.readTextFileSync(certificate),
  key: Deno.readTextFileSync(key),
};

export default {
  ...tls,
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  fetch: ({ url }) => new Response(`asked for ${new URL(url).protocol}`),
};
