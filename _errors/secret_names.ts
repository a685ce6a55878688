/** Which query parameters carry credentials, by their names. */

// The patterns match names in lower case and without separators: `api_key`, `api-key` and `apiKey` are the same.

/** Anywhere in the name. */
const PART =
  /token|secret(?!ar)|passw|passphrase|passcode|signature|credential|session|sessid|authorization|bearer|assertion|cookie|csrf|xsrf|verifier|samlre|^oauth|^hdn(ts|ea|tl)/;

/** At the end of the name. A plural, `keys`, is not a key. */
const END = /(key|key(pair)?id|accessid|auth|pwd|lsig)$/;

/** Words that end in `key` without being one, and database terms. */
const NO_KEY = /^(mon|don|tur|hoc|whis|joc|jo|hot|lac|mic|smo|hic|malar|po|ho|flun)key$/;
const DATABASE_KEY = /(sort|order|group|primary|partition|row|foreign|cache|range)key$/;

/**
 * The whole name: shared access signatures, one-time passwords, signed URLs of CloudFront (`Policy`), nginx (`md5`),
 * Discord (`hm`), Facebook (`oh`) and others (`st`, `exp`), keys of weather and map services (`appid`, `ak`), short
 * names for passwords.
 */
const WHOLE =
  /^(sig|sign|dsig|code|appcode|accesscode|pwd|pw|psw|pass|userpass|jwt|sas|sid|nonce|pin|userpin|otp|totp|hmac|md5|ticket|appid|cred|creds|refresh|st|exp|policy|ak|sk|zak|pat|crumb|tok|tkn|license|licence|hm|oh)$/;

/** One word of several, as in `user_pass`, `api_sig`, `auth[user]`, `q-ak`. */
const WORD = /^(auth|pw|pwd|pass|jwt|sas|otp|totp|hmac|cred|creds|sig|dsig|tok|tkn|ak|sk)$/;

/** Only so many characters of a name are looked at: no API has longer names. */
const LONGEST = 200;

/** Whether a query parameter of this name carries a credential. */
export function isSecretName(name: string): boolean {
  const words = wordsOf(decodePart(name).slice(0, LONGEST));
  const whole = words.join("");
  if (WHOLE.test(whole) || PART.test(whole)) return true;
  if (END.test(whole)) return !NO_KEY.test(words.at(-1) ?? "") && !DATABASE_KEY.test(whole);
  return words.some((word) => WORD.test(word));
}

/** The words of a name, which may be in camel case. */
function wordsOf(name: string): string[] {
  return name.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z\d]+/)
    .filter((word) => word !== "");
}

/** The text with percent-encoding decoded, or unchanged if its encoding is not valid. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A lone percent sign stands for itself.
  }
}
