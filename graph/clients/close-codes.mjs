// The close codes of the protocol, seen by a bare WebSocket.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import {token, wsURL} from './world.mjs';

const init = {type: 'connection_init', payload: {token}};
const watch = {id: '1', type: 'subscribe', payload: {query: 'subscription { events { cursor } }'}};

/** Says the messages one after the other, each when the one before was answered if `wait` says so, and returns how the socket was closed. */
const closes = (protocol, ...messages) => new Promise((resolve, reject) => {
  const ws = new WebSocket(wsURL, protocol);
  ws.on('open', () => messages.forEach(m => ws.send(typeof m === 'string' ? m : JSON.stringify(m))));
  ws.on('close', (code, reason) => resolve([code, reason.toString()]));
  ws.on('error', reject);
});

const modern = 'graphql-transport-ws';
const table = [
  [4400, [modern, 'no json']],
  [4400, [modern, {type: 'nonsense'}]],
  [4400, [modern, {id: '1', type: 'next', payload: {}}]],
  [4400, [modern, {type: 'connection_init', payload: 'text'}]],
  [4400, [modern, init, {type: 'subscribe', payload: {query: '{ __typename }'}}]],
  [4401, [modern, watch]],
  [4403, [modern, {type: 'connection_init', payload: {token: 'nonsense'}}]],
  [4408, [modern]],
  [4409, [modern, init, watch, watch]],
  [4429, [modern, init, init]],
  [4400, ['graphql-ws', 'no json']],
  [4401, ['graphql-ws', {id: '1', type: 'start', payload: {query: '{ __typename }'}}]],
  [4429, ['graphql-ws', init, init]],
  [1000, ['graphql-ws', init, {type: 'connection_terminate'}]],
];
const got = await Promise.all(table.map(([, [protocol, ...messages]]) => closes(protocol, ...messages)));
assert.deepEqual(got.map(([code]) => code), table.map(([code]) => code), JSON.stringify(got));
assert.equal(got[8][1], 'Subscriber for 1 already exists');

// No protocol that is known.
const unknown = await new Promise(resolve => {
  const ws = new WebSocket(wsURL);
  ws.on('close', code => resolve(code));
});
assert.equal(unknown, 4406);
