// Line ends of `.exp` files for tree-sitter: where a statement ends, and where the next line goes on with it. Follows
// `src/syntax/scan/lines.rs`. It keeps no state.

#include "tree_sitter/parser.h"

enum Token { LINE_END, ADJOINT_LINE };

void *tree_sitter_exp_external_scanner_create(void) { return 0; }
void tree_sitter_exp_external_scanner_destroy(void *payload) { (void)payload; }
void tree_sitter_exp_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  (void)payload, (void)buffer, (void)length;
}
unsigned tree_sitter_exp_external_scanner_serialize(void *payload, char *buffer) {
  (void)payload, (void)buffer;
  return 0;
}

static bool is_word(int32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '\'';
}

static bool is_blank(int32_t c) { return c == ' ' || c == '\t' || c == '\r'; }

// Blank lines and comments say nothing about the line before them.
static void skip_to_code(TSLexer *lexer) {
  while (!lexer->eof(lexer)) {
    if (lexer->lookahead == '#') {
      while (!lexer->eof(lexer) && lexer->lookahead != '\n') lexer->advance(lexer, false);
    } else if (is_blank(lexer->lookahead) || lexer->lookahead == '\n') {
      lexer->advance(lexer, false);
    } else {
      return;
    }
  }
}

static bool at_word(TSLexer *lexer, const char *word) {
  for (; *word; word++) {
    if (lexer->lookahead != *word) return false;
    lexer->advance(lexer, false);
  }
  return !is_word(lexer->lookahead);
}

bool tree_sitter_exp_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  (void)payload;
  if (!valid[LINE_END] && !valid[ADJOINT_LINE]) return false;
  while (is_blank(lexer->lookahead)) lexer->advance(lexer, true);
  if (lexer->lookahead != '\n') return false;
  lexer->advance(lexer, false);
  lexer->mark_end(lexer);
  skip_to_code(lexer);
  switch (lexer->lookahead) {
    case '|':
      lexer->advance(lexer, false);
      if (lexer->lookahead == '>') return false;
      break;
    case 'e':
      if (at_word(lexer, "else")) return false;
      break;
    case 'v':
      if (valid[ADJOINT_LINE] && at_word(lexer, "vjp")) {
        while (is_blank(lexer->lookahead)) lexer->advance(lexer, false);
        if (lexer->lookahead == '(') {
          lexer->result_symbol = ADJOINT_LINE;
          return true;
        }
      }
      break;
  }
  lexer->result_symbol = LINE_END;
  return valid[LINE_END];
}
