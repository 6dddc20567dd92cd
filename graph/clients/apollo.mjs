import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache} from '@apollo/client/core/index.js';
import {PersistedQueryLink} from '@apollo/client/link/persisted-queries';
import {GraphQLWsLink} from '@apollo/client/link/subscriptions';
import {getMainDefinition} from '@apollo/client/utilities';
import {createClient} from 'graphql-ws';
import WebSocket from 'ws';
import {authorization, here, Inbox, number, otherNumberId, otherToken, received, send, texts, token, url, wsURL} from './world.mjs';

const asked = [];
const http = new HttpLink({uri: url, headers: authorization, fetch: (to, init) => (asked.push(init.body), fetch(to, init))});
const persisted = new PersistedQueryLink({sha256: text => createHash('sha256').update(text).digest('hex')}).concat(http);
const sockets = createClient({url: wsURL, webSocketImpl: WebSocket, connectionParams: {authorization: `Bearer ${token}`}});
const link = ApolloLink.split(
  ({query}) => getMainDefinition(query).operation === 'subscription', new GraphQLWsLink(sockets), persisted);
const client = new ApolloClient({cache: new InMemoryCache(), link});

const ME = gql`query Me { me { id email } numbers(first: 10) { edges { cursor node { id number } } pageInfo { hasNextPage } } }`;
const {data} = await client.query({query: ME});
assert.equal(data.me.email, 'p1@example.com');
assert.equal(data.numbers.edges.length, 1);
assert.equal(asked.filter(b => b.includes('"query"')).length, 1, 'the document was sent once, after its hash was not known');
await client.query({query: ME, fetchPolicy: 'network-only'});
assert.equal(asked.filter(b => b.includes('"query"')).length, 1, 'and not again');

const inbox = new Inbox();
const watching = client.subscribe({query: gql(received), variables: {after: await here()}})
  .subscribe({next: r => inbox.put(r), error: e => assert.fail(e)});
await send('to apollo');
await inbox.until(1);
assert.deepEqual(texts(inbox), ['to apollo']);

const answer = await client.mutate({
  mutation: gql`mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { id text } userErrors { code field message } } }`,
  variables: {input: {from: otherNumberId, to: [number], text: 'not mine to send'}},
});
assert.deepEqual(answer.data.sendMessage.userErrors.map(e => [e.code, e.field]), [['NOT_FOUND', 'input.from']]);
const failed = await client.query({query: gql`{ me { nothing } }`}).catch(e => e);
assert.equal(failed.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');

// A file, by the multipart request specification.
const form = new FormData();
form.append('operations', JSON.stringify({
  query: 'mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { kind length } userErrors { message } } }',
  variables: {input: {from: otherNumberId, to: [number], file: null}},
}));
form.append('map', JSON.stringify({0: ['variables.input.file']}));
form.append('0', new Blob(['a small file']), 'small.txt');
const upload = await (await fetch(url, {method: 'POST', headers: {authorization: `Bearer ${otherToken}`}, body: form})).json();
assert.deepEqual(upload.data.sendMessage, {message: {kind: 'FILE', length: 12}, userErrors: []});

watching.unsubscribe();
client.stop();
await sockets.dispose();
