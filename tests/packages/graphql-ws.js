// client: graphql-ws
// server: graphql-ws
// ci: yes
import {
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from "graphql";
import { createClient } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { equal, inbox, text } from "./_kit.js";

const long = text.repeat(10_000);
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: "Query",
    fields: {
      echo: {
        type: GraphQLString,
        args: { message: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_, { message }) => message,
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: {
      greetings: {
        type: GraphQLString,
        async *subscribe() {
          for (const greetings of ["a", text, long]) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            yield { greetings };
          }
        },
      },
    },
  }),
});

const sockets = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  path: "/graphql",
});
await once(sockets, "listening");
const server = useServer({ schema }, sockets);
const closed = inbox();
const client = createClient({
  url: `ws://127.0.0.1:${sockets.address().port}/graphql`,
  lazy: false,
  on: { closed: closed.push },
  onNonLazyError: closed.push,
  retryAttempts: 0,
});

const query = client.iterate({
  query: "query ($message: String!) { echo(message: $message) }",
  variables: { message: long },
});
equal((await query.next()).value.data, { echo: long });
await query.return();
const greetings = [];
for await (
  const { data } of client.iterate({ query: "subscription { greetings }" })
) {
  greetings.push(data.greetings);
}
equal(greetings, ["a", text, long]);
const wrong = await client.iterate({ query: "{ nothing }" }).next().catch((
  errors,
) => errors);
equal(wrong[0].message, 'Cannot query field "nothing" on type "Query".');

const going = server.dispose();
const { code, reason } = await closed.next();
equal([code, reason], [1001, "Going away"]);
await going;
console.log("ok");
