/** What a JavaScript module imports by relative path, read from its text. */

export interface RelativeImport {
  /** Begins with `./` or `../`, or with `#` (the package's own names for its files). */
  readonly specifier: string;
  /** `static`: it must be there for the module to load; the others are loaded when they are reached. */
  readonly kind: "static" | "dynamic" | "require";
}

/** In the order of the text. Specifiers that are computed, or written with escapes, are not seen. */
export function relativeImports(source: string): RelativeImport[] {
  const tokens = tokensOf(source);
  const found: RelativeImport[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const one = importAt(tokens, i);
    if (one !== undefined && /^(\.\.?\/|#)/.test(one.specifier)) found.push(one);
  }
  return found;
}

function importAt(tokens: readonly string[], at: number): RelativeImport | undefined {
  const token = tokens[at]!;
  if (token !== "import" && token !== "export" && token !== "require") return undefined;
  const before = tokens[at - 1];
  if (before === "." || before === "?." || before === "#") return undefined;
  const next = tokens[at + 1];
  if (token !== "export" && next === "(") {
    const specifier = textOf(tokens[at + 2]);
    const isWhole = tokens[at + 3] === ")" || tokens[at + 3] === ",";
    if (specifier === undefined || !isWhole) return undefined;
    return { specifier, kind: token === "import" ? "dynamic" : "require" };
  }
  if (token === "require") return undefined;
  if (token === "export" && next !== "{" && next !== "*") return undefined;
  const specifier = textOf(next) ?? specifierAfter(tokens, at + 1);
  return specifier === undefined ? undefined : { specifier, kind: "static" };
}

/** Of `… from "x"`, where `…` names what is imported or exported. */
function specifierAfter(tokens: readonly string[], from: number): string | undefined {
  for (let i = from; i < tokens.length; i++) {
    const token = tokens[i]!;
    const isName = isText(token) || /^[\p{ID_Start}$_]/u.test(token) || "{},*".includes(token);
    if (!isName) return undefined;
    const text = token === "from" ? textOf(tokens[i + 1]) : undefined;
    if (text !== undefined) return text;
    // what follows the braces of an export is `from`, or the next statement
    if (token === "}" && tokens[i + 1] !== "from") return undefined;
  }
  return undefined;
}

function isText(token: string): boolean {
  return token.startsWith('"') || token.startsWith("'");
}

function textOf(token: string | undefined): string | undefined {
  if (token === undefined || !isText(token) || token.includes("\\")) return undefined;
  return token.slice(1, -1);
}

const SPACE = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const TEXT = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*|\d[\w.]*|\?\.(?!\d)|\.\.\./uy;
const REGULAR_EXPRESSION = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y;
/** After these a slash begins a regular expression; after other words it divides. */
const BEFORE_EXPRESSION =
  /^(?:return|typeof|case|do|else|in|instanceof|new|void|delete|throw|yield|await|of)$/;
/** Whose parentheses stand before a statement. */
const BEFORE_STATEMENT = /^(?:if|while|for|with)$/;

/** Words, texts with their quotes, and single signs; comments, templates and regular expressions leave none. */
function tokensOf(source: string): string[] {
  const tokens: string[] = [];
  /** What is open: `${` of a template, or a bracket with whether a slash behind it begins an expression. */
  const open: { readonly sign: string; readonly isBeforeExpression: boolean }[] = [];
  let at = source.startsWith("#!") ? source.indexOf("\n") : 0;
  let mayBeExpression = true;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text) at += text.length;
    return text;
  };
  const template = () => {
    const part = take(TEMPLATE_PART);
    if (part === undefined) at = source.length;
    else if (part.endsWith("{")) open.push({ sign: "${", isBeforeExpression: false });
    mayBeExpression = part?.endsWith("{") ?? true;
  };
  while (at >= 0 && at < source.length) {
    if (take(SPACE)) continue;
    const word = take(TEXT) ?? take(WORD);
    if (word !== undefined) {
      mayBeExpression = BEFORE_EXPRESSION.test(word) && tokens.at(-1) !== ".";
      tokens.push(word);
      continue;
    }
    if (mayBeExpression && take(REGULAR_EXPRESSION)) {
      tokens.push("/");
      mayBeExpression = false;
      continue;
    }
    const sign = source[at++]!;
    if (sign === "`") {
      tokens.push(sign);
      template();
      continue;
    }
    if (sign === "(" || sign === "{" || sign === "[") {
      open.push({ sign, isBeforeExpression: BEFORE_STATEMENT.test(tokens.at(-1) ?? "") });
    }
    const closed = sign === ")" || sign === "}" || sign === "]" ? open.pop() : undefined;
    if (closed?.sign === "${") {
      template();
      continue;
    }
    tokens.push(sign);
    // a block's end is far more frequent than an object that is divided
    mayBeExpression =
      sign === ")" ? (closed?.isBeforeExpression ?? false) : sign !== "]" || closed === undefined;
  }
  return tokens;
}
