/** Takes passwords out of text before anybody sees it: logs, errors, whatever a command prints. */

/**
 * The text without secrets: the password of every URL and every `password=…` in it, and every secret
 * given to `rememberSecret`, wherever it stands.
 */
export function redact(text: string): string {
  let clean = text.replace(URL_PASSWORD, "$1***@").replace(NAMED_PASSWORD, "$1$2$3***$2$3");
  for (const secret of secrets) clean = clean.replaceAll(secret, "***");
  return clean;
}

/**
 * Makes `redact` know a secret by its letters, as it is and as a URL spells it. One list a process, on
 * purpose: an error may pass through any code before it is printed. A secret that is as short as a
 * word, or that is also a public name (user, host, database), is not remembered: hiding it everywhere
 * would make messages unreadable and tell which name it is.
 */
export function rememberSecret(secret: string, publicNames: readonly string[] = []): void {
  if (secret.length < SECRET_LENGTH_MIN || publicNames.includes(secret) || COMMON_WORDS.has(secret)) return;
  secrets.add(secret);
  secrets.add(encodeURIComponent(secret));
  secrets.add(JSON.stringify(secret).slice(1, -1));
}

const SECRET_LENGTH_MIN = 6;
const COMMON_WORDS = new Set(["postgres", "password", "secret"]);
const secrets = new Set<string>();

// up to the last @ before the path: a password may hold an @ that nobody escaped
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'`]*:)[^\s/"'`]*@/gi;
// with quotes kept, so that JSON stays JSON, also JSON within JSON
const NAMED_PASSWORD =
  /(\bpassword\\?["']?\s*[=:]\s*)(?:(')(?:[^'\\]|\\.)*'|(\\?")(?:[^"\\]|\\[^"])*\3|[^\s&,;)}"'`]+)/gi;
