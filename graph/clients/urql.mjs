import assert from 'node:assert/strict';
import {cacheExchange, Client, fetchExchange, gql, subscriptionExchange} from '@urql/core';
import {createClient} from 'graphql-ws';
import WebSocket from 'ws';
import {authorization, here, Inbox, received, send, texts, token, url, wsURL} from './world.mjs';

const sockets = createClient({url: wsURL, webSocketImpl: WebSocket, connectionParams: {token}});
const overSocket = subscriptionExchange({
  forwardSubscription: operation => ({subscribe: sink => ({unsubscribe: sockets.subscribe(operation, sink)})}),
});
const common = {url, fetchOptions: {headers: authorization}};
const client = new Client({...common, exchanges: [cacheExchange, fetchExchange, overSocket]});

const me = await client.query(gql`query Me { me { id email } }`, {}).toPromise();
assert.equal(me.error, undefined, String(me.error));
assert.equal(me.data.me.email, 'p1@example.com');
const byGet = await client.query(gql`query Short { me { plan } }`, {}, {preferGetMethod: 'force'}).toPromise();
assert.equal(byGet.data.me.plan, 'FREE');
const set = await client.mutation(gql`mutation { setMatrixId(input: {matrixId: "@us:example.org"}) { account { matrixId } userErrors { message } } }`, {}).toPromise();
assert.equal(set.data.setMatrixId.account.matrixId, '@us:example.org');
const wrong = await client.query(gql`{ nothing }`, {}).toPromise();
assert.equal(wrong.error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');

// Over the socket, and by urql's own event streams.
for (const with_ of [client, new Client({...common, exchanges: [fetchExchange], fetchSubscriptions: true})]) {
  const inbox = new Inbox();
  const {unsubscribe} = with_.subscription(gql(received), {after: await here()}).subscribe(r => (assert.equal(r.error, undefined), inbox.put(r)));
  await send('to urql');
  await inbox.until(1);
  assert.deepEqual(texts(inbox), ['to urql']);
  unsubscribe();
}
await sockets.dispose();
process.exit(0); // urql keeps the stream's connection for later
