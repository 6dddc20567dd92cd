// The playground in a real browser: it loads from this server alone, asks, and watches over a socket.
import assert from 'node:assert/strict';
import {chromium} from 'playwright-core';
import {page as address, send, token} from './world.mjs';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({viewport: {width: 1200, height: 800}});
const elsewhere = [], complaints = [];
page.on('request', r => new URL(r.url()).origin === new URL(address).origin || r.url().startsWith('data:') || elsewhere.push(r.url()));
page.on('console', m => m.type() === 'error' && complaints.push(m.text()));
page.on('pageerror', e => complaints.push(String(e)));

await page.goto(address);
const editor = page.locator('.graphiql-query-editor .CodeMirror');
await editor.waitFor();
const write = (where, text) => where.evaluate((e, text) => e.CodeMirror.setValue(text), text);
/** The editor takes a moment to see what it holds; pressed before that, the button would run what was there. It stores what it has seen. */
const seen = text => page.waitForFunction(text => localStorage.getItem('graphiql:query')?.includes(text), text);
const shown = text => page.locator('.graphiql-response', {hasText: text}).waitFor();
const run = page.locator('.graphiql-execute-button');

await write(page.locator('.graphiql-editor-tool .CodeMirror').last(), JSON.stringify({Authorization: `Bearer ${token}`}));
await write(editor, '{ me { email } }');
await seen('{ me');
await run.click();
await shown('p1@example.com');

await write(editor, 'subscription { messageReceived { message { text } } }');
await seen('subscription');
await run.click();
await page.locator('.graphiql-execute-button[aria-label^="Stop"]').waitFor();
const arrived = page.locator('.graphiql-response', {hasText: 'to the playground'});
while (!(await arrived.isVisible())) await send('to the playground'); // there is no telling when the subscription is there

await page.locator('button[aria-label="Show Documentation Explorer"]').click();
await page.getByText('A GraphQL schema provides').waitFor(); // introspection worked
if (process.env.SCREENSHOT) await page.screenshot({path: process.env.SCREENSHOT});
assert.deepEqual(elsewhere, []);
assert.deepEqual(complaints, []);
await browser.close();
