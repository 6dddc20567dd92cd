import assert from 'node:assert/strict';
import {createClient, CloseCode} from 'graphql-ws';
import WebSocket from 'ws';
import {cut, here, Inbox, received, send, texts, token, wsURL} from './world.mjs';

const once = (client, payload) => new Promise((next, error) => client.subscribe(payload, {next, error, complete() {}}));

// Queries, mutations and errors over the socket.
let connects = 0;
const client = createClient({
  url: wsURL, webSocketImpl: WebSocket, connectionParams: () => ({token}), retryAttempts: 5, retryWait: async () => {},
  shouldRetry: () => true, on: {connected: () => connects++},
});
assert.equal((await once(client, {query: '{ me { email } }'})).data.me.email, 'p1@example.com');
const made = await once(client, {query: 'mutation { setMatrixId(input: {matrixId: "@me:example.org"}) { account { matrixId } userErrors { message } } }'});
assert.equal(made.data.setMatrixId.account.matrixId, '@me:example.org');
const refused = await once(client, {query: '{ nothing }'}).catch(errors => errors);
assert.equal(refused[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
const stranger = await once(client, {query: 'subscription { messageReceived(after: "no cursor") { cursor } }'}).catch(errors => errors);
assert.equal(stranger[0].extensions.code, 'BAD_CURSOR');

// A subscription that is cut off takes up again behind the last cursor: nothing is lost, nothing comes twice.
const inbox = new Inbox();
const payload = {query: received, variables: {after: await here()}};
const stop = client.subscribe(payload, {
  next(r) {
    payload.variables.after = r.data.messageReceived.cursor; // graphql-ws sends the payload again when it reconnects
    inbox.put(r);
  },
  error: e => assert.fail(JSON.stringify(e)),
  complete() {},
});
await send('one');
await inbox.until(1);
await cut();
await send('two');
await send('three');
await inbox.until(3);
await send('four');
await inbox.until(4);
assert.deepEqual(texts(inbox), ['one', 'two', 'three', 'four']);
assert.ok(connects >= 2, 'it reconnected');
stop();
await client.dispose();

// A bad credential is refused with 4403, and the client gives up when it is told to.
const bad = createClient({url: wsURL, webSocketImpl: WebSocket, connectionParams: {token: 'nonsense'}, retryAttempts: 0});
const closed = await once(bad, {query: '{ __typename }'}).catch(e => e);
assert.equal(closed.code, CloseCode.Forbidden);
