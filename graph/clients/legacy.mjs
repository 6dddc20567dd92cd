// The client of the protocol that was called graphql-ws before.
import assert from 'node:assert/strict';
import transport from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import {here, Inbox, received, send, texts, token, wsURL} from './world.mjs';

const client = new transport.SubscriptionClient(wsURL, {connectionParams: {authToken: token}, timeout: 10_000, minTimeout: 10_000}, WebSocket);
const once = query => new Promise((next, error) => client.request({query}).subscribe({next, error}));

assert.equal((await once('{ me { email } }')).data.me.email, 'p1@example.com');
const refused = await once('{ nothing }').catch(e => e);
assert.match(refused.message ?? refused.errors[0].message, /nothing/);

const inbox = new Inbox();
const {unsubscribe} = client.request({query: received, variables: {after: await here()}}).subscribe({next: r => inbox.put(r)});
await send('to the old one');
await inbox.until(1);
assert.deepEqual(texts(inbox), ['to the old one']);
unsubscribe();
client.close();

const bad = new transport.SubscriptionClient(wsURL, {reconnect: false, connectionParams: {authToken: 'nonsense'},
  connectionCallback: e => { assert.match(e.message, /credential/); process.exit(0); }}, WebSocket);
