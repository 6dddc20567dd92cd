// What the tests share: the server's addresses, which clients_test.go gives, and a way to make something happen there.
import assert from 'node:assert/strict';

export const url = process.env.GRAPHQL_URL;
export const wsURL = url.replace(/^http/, 'ws');
export const page = new URL('/', url).href;
export const {TOKEN: token, OTHER_TOKEN: otherToken, NUMBER: number, NUMBER_ID: numberId, OTHER_NUMBER_ID: otherNumberId} = process.env;
export const authorization = {authorization: `Bearer ${token}`};

export async function ask(query, variables, as = token) {
  const res = await fetch(url, {
    method: 'POST',
    headers: {'content-type': 'application/json', authorization: `Bearer ${as}`},
    body: JSON.stringify({query, variables}),
  });
  const result = await res.json();
  assert.equal(result.errors, undefined, JSON.stringify(result.errors));
  return result.data;
}

/** Sends a message from the other account's number to ours. */
export async function send(text) {
  const data = await ask(
    'mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } userErrors { message } } }',
    {input: {from: otherNumberId, to: [number], text}},
    otherToken,
  );
  assert.deepEqual(data.sendMessage.userErrors, []);
}

/** Breaks every open connection, as a network does. */
export const cut = () => fetch(new URL('/cut', url), {method: 'POST'});

export const received = 'subscription Received($after: String) { messageReceived(after: $after) { cursor message { text } } }';

/** Collects what comes, and lets a test wait for the nth of it. */
export class Inbox {
  got = [];
  #waiting = [];
  put(item) {
    this.got.push(item);
    this.#waiting = this.#waiting.filter(({n, resolve}) => (this.got.length < n ? true : resolve(this.got)));
  }
  until(n) {
    if (this.got.length >= n) return Promise.resolve(this.got);
    return new Promise(resolve => this.#waiting.push({n, resolve: got => void resolve(got)}));
  }
}

export const texts = inbox => inbox.got.map(r => r.data.messageReceived.message.text);

/** Subscriptions have no acknowledgement: what was sent before one was there isn't its business, so tests start at a known place. */
export async function here() {
  const {me} = await ask('{ me { logCursor } }');
  return me.logCursor;
}
