// Makes assets/ from the npm packages that package-lock.json names: npm ci && npm run build. The result is committed, so that neither
// building nor running the server needs Node or the network.
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {gzipSync} from 'node:zlib';

const read = path => readFileSync(new URL(path, import.meta.url), 'utf8');
const write = (name, text) => writeFileSync(new URL(`assets/${name}.gz`, import.meta.url), gzipSync(text, {level: 9}));
const plain = text => text.replace(/\n?\/[/*]# sourceMappingURL=.*$/m, ''); // the maps are not served

mkdirSync(new URL('assets', import.meta.url), {recursive: true});

const scripts = [
  'node_modules/react/umd/react.production.min.js',
  'node_modules/react-dom/umd/react-dom.production.min.js',
  'node_modules/graphiql/graphiql.min.js',
  'page.js',
].map(read).map(plain);

const own = 'html,body,#graphiql{height:100%;margin:0}';
// Its fonts are three quarters of the style sheet; every system has a sans-serif and a monospace of its own.
const style = plain(read('node_modules/graphiql/graphiql.min.css')).replace(/@font-face\s*\{[^}]*\}/g, '') + own;

const licences = ['graphiql', 'react', 'react-dom', 'graphql'].map(name => {
  const {version} = JSON.parse(read(`node_modules/${name}/package.json`));
  return `${name} ${version}\n\n${read(`node_modules/${name}/LICENSE`).trim()}\n`;
});
const notice = `playground.js and playground.css are put together from these packages by build.mjs.\n\n${licences.join(`\n${'-'.repeat(80)}\n\n`)}`;

write('playground.js', `/*!\n${notice}*/\n${scripts.join('\n;\n')}`); // the notice goes where the copy goes
write('playground.css', style);
writeFileSync(new URL('assets/LICENSES.txt', import.meta.url), notice);
