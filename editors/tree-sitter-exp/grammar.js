// The grammar of `.exp` files for tree-sitter. Rules carry the names of `grammar/exp.pest`, which decides; `tests/tree_sitter.rs`
// compares the two. A rule that is a node only where it says something, such as `or_expr`, has a twin `_or` through which
// everything else passes.
//
// Line ends matter as they do in `src/syntax/scan`: `src/scanner.c` gives `_line_end` where a statement, a field or an arm may end, unless
// the next line begins with `|>` or `else`. Elsewhere a line end is a blank.

// Reserved everywhere.
const KEYWORDS = [
  'use', 'axis', 'type', 'pub', 'fn', 'let', 'mut', 'for', 'in', 'while', 'return',
  'if', 'else', 'match', 'and', 'or', 'not', 'true', 'false',
];

// Words only where an item or a clause starts; elsewhere names like any other.
const CLAUSES = [
  'experiment', 'input', 'intrinsic', 'vjp', 'site', 'expect', 'with', 'capture', 'fit', 'plot', 'like', 'as',
];

const comma = (rule) => seq(rule, repeat(seq(',', rule)));
// With a comma behind the last one, if people like.
const listed = (rule) => seq(comma(rule), optional(','));
const maybe = (rule) => optional(choice(listed(rule), ','));
// What follows belongs to the innermost expression that can take it, such as the body of a function without a name.
const last = (rule) => prec(-1, rule);
const parted = (rule, between) => seq(optional(between), optional(seq(rule, repeat(seq(between, rule)), optional(between))));

module.exports = grammar({
  name: 'exp',
  word: $ => $.ident,
  extras: $ => [/\s/, $.comment],
  externals: $ => [$._line_end, $._adjoint_line],
  reserved: { global: _ => KEYWORDS },
  conflicts: $ => [
    [$.record, $.block],
    [$.entry, $._primary],
    [$.fit_expr, $._name],
  ],

  rules: {
    source_file: $ => parted($._item, $._sep),

    _sep: $ => repeat1(choice($._line_end, ';')),
    _field_sep: $ => repeat1(choice($._line_end, ',')),
    _hook_sep: $ => repeat1(choice($._line_end, ';', ',')),

    // ---- items
    _item: $ => choice(
      $.experiment, $.use_item, $.axis_item, $.input_item, $.type_item, $.fn_item, $.expect_item, $._stmt,
    ),
    experiment: $ => seq('experiment', $.string, $.record),
    use_item: $ => seq('use', choice($.string, $.path), optional(seq('as', $.alias)), optional(seq(':', comma($._name)))),
    alias: $ => $._name,
    axis_item: $ => seq('axis', comma($.axis_decl)),
    axis_decl: $ => seq($._name, optional(choice(seq('=', $._expr), seq('like', $.like_name)))),
    like_name: $ => $._name,
    input_item: $ => seq('input', $._name, '=', $._expr),
    type_item: $ => seq(optional('pub'), 'type', $._name, optional($.generics), '=', $._ty),
    fn_item: $ => seq(
      optional('pub'), optional('intrinsic'), 'fn', field('name', $._name), optional($.generics), $.params,
      optional(seq('->', $._ty)),
      optional(choice(seq(optional($._adjoint_line), $.vjp), $.block)),
    ),
    vjp: $ => seq('vjp', '(', $._name, ',', $._name, ')', $.record),
    generics: $ => seq('<', listed($.generic), '>'),
    generic: $ => seq($._name, optional(seq('->', $.makes)), optional(seq(':', $.bound))),
    makes: $ => $._name,
    bound: $ => $._name,
    params: $ => seq('(', maybe($.param), ')'),
    param: $ => seq($._name, optional(seq(':', $._ty)), optional(seq('=', $._expr))),
    expect_item: $ => seq('expect', '{', parted($.expectation, $._sep), '}'),
    expectation: $ => seq($._add, choice($.about, $.within, $.compare)),
    about: $ => seq(choice('~', '≈'), $._add, choice('+-', '±'), $._add),
    within: $ => seq('in', $._add, $.range_op, $._add),
    compare: $ => seq($.cmp_op, $._add),

    // ---- types
    _ty: $ => choice($.fn_ty, $.record_ty, $.list_ty, $.named_ty),
    named_ty: $ => seq($.path, optional($.axis_list)),
    axis_list: $ => seq('[', maybe($.axis_ref), ']'),
    axis_ref: $ => choice($.row_var, $._name),
    row_var: $ => seq('..', $._name),
    record_ty: $ => seq('{', parted($.field_ty, $._field_sep), '}'),
    field_ty: $ => seq($._name, ':', $._ty),
    list_ty: $ => seq('list', '<', $._ty, '>'),
    fn_ty: $ => seq('fn', '(', maybe($._ty), ')', '->', $._ty),

    // ---- statements
    block: $ => seq('{', parted($._stmt, $._sep), '}'),
    _stmt: $ => choice(
      $.let_stmt, $.site_stmt, $.for_stmt, $.while_stmt, $.return_stmt, $.fit_stmt, $.plot_stmt, $.plain_stmt,
    ),
    let_stmt: $ => seq('let', optional('mut'), $.pattern, optional(seq(':', $._ty)), '=', $._expr),
    pattern: $ => choice($._name, seq('{', optional($._field_sep), $._name, repeat(seq($._field_sep, $._name)), optional($._field_sep), '}')),
    site_stmt: $ => seq('site', $._name, '=', $._expr),
    for_stmt: $ => seq('for', $._name, 'in', $._expr, $.block),
    while_stmt: $ => seq('while', $._expr, $.block),
    return_stmt: $ => seq('return', optional($._expr)),
    fit_stmt: $ => seq('fit', $._name, $.record),
    plot_stmt: $ => seq('plot', $._name, $.record),
    plain_stmt: $ => seq($._expr, optional(seq($.assign_op, $._expr))),
    assign_op: _ => choice('=', '+=', '-=', '*=', '/='),

    // ---- expressions, loosest first
    _expr: $ => choice($.pipeline, last($._or)),
    pipeline: $ => seq($._expr, '|>', $.stage),
    stage: $ => last($._postfix),
    _or: $ => choice($.or_expr, last($._and)),
    or_expr: $ => prec(1, seq($._or, 'or', $._and)),
    _and: $ => choice($.and_expr, last($._not)),
    and_expr: $ => prec(2, seq($._and, 'and', $._not)),
    _not: $ => choice($.not_expr, last($._cmp)),
    not_expr: $ => prec(3, seq('not', $._not)),
    _cmp: $ => choice($.cmp_expr, last($._range)),
    cmp_expr: $ => prec(4, seq($._range, $.cmp_op, $._range)),
    cmp_op: _ => choice('==', '!=', '<=', '>=', '<', '>'),
    _range: $ => choice($.range_expr, last($._add)),
    range_expr: $ => prec.right(5, choice(seq($._add, $.range_op, optional($._add)), seq($.range_op, optional($._add)))),
    range_op: _ => choice('..=', '..'),
    _add: $ => choice($.add_expr, last($._mul)),
    add_expr: $ => prec(6, seq($._add, $.add_op, $._mul)),
    add_op: _ => choice('+', '-'),
    _mul: $ => choice($.mul_expr, last($._unary)),
    mul_expr: $ => prec(7, seq($._mul, $.mul_op, $._unary)),
    mul_op: $ => choice($.contract, $.times),
    times: _ => choice('*', '/', '%'),
    contract: $ => seq('@[', listed($._name), ']'),
    _unary: $ => choice($.unary, last($._pow)),
    unary: $ => prec(8, seq($.neg, $._unary)),
    neg: _ => '-',
    // Right to left: `a ^ b ^ c` is `a ^ (b ^ c)`, and an exponent may carry a sign.
    _pow: $ => choice($.pow_expr, last($._postfix)),
    pow_expr: $ => prec(9, seq($._postfix, '^', repeat($.neg), $._pow)),

    _postfix: $ => choice($.postfix_expr, last($._primary)),
    postfix_expr: $ => prec(10, seq($._postfix, choice($.call, $.brackets, $.field))),
    call: $ => seq('(', maybe($.arg), ')'),
    arg: $ => seq(optional(seq($.arg_name, ':')), $._expr),
    arg_name: $ => $._name,
    field: $ => seq('.', $._name),
    brackets: $ => seq('[', maybe($._bracket), ']'),
    _bracket: $ => choice($.merge, $.split, $.slice, $.rename, $.index, $.axis_ref),
    index: $ => seq($._name, ':', $._expr),
    slice: $ => seq($._name, '->', $._name, ':', $._expr),
    rename: $ => seq($._name, '->', $._name),
    split: $ => seq($._name, '->', '(', $.part, repeat1(seq(',', $.part)), optional(','), ')'),
    part: $ => seq($._name, optional(seq(':', $._expr))),
    merge: $ => seq('(', $._name, repeat1(seq(',', $._name)), optional(','), ')', '->', $._name),

    _primary: $ => choice(
      $.if_expr, $.match_expr, $.lambda, $.capture_expr, $.with_expr, $.fit_expr, $.record, $.block, $.comprehension, $.list,
      $.number, $.string, $.boolean, $._name, $.paren,
    ),
    paren: $ => seq('(', $._expr, ')'),
    if_expr: $ => prec.right(seq(
      'if', $._expr, $.block, repeat(seq('else', 'if', $._expr, $.block)), optional(seq('else', $.block)),
    )),
    match_expr: $ => seq('match', $._expr, '{', parted($.arm, $._hook_sep), '}'),
    arm: $ => seq($.arm_pattern, '=>', $.body),
    // A block, unless what stands in the braces can only be a record.
    body: $ => prec.right(-1, choice(prec.dynamic(2, $.block), $._expr)),
    arm_pattern: $ => choice($.string, seq(optional($.neg), $.number), $.boolean, $._name),
    lambda: $ => prec.right(seq('fn', $.params, '=>', $.body)),
    capture_expr: $ => seq('capture', $._model, '{', parted($.hook, $._hook_sep), '}'),
    // What a name begins.
    _model: $ => choice($._name, alias($._model_postfix, $.postfix_expr)),
    _model_postfix: $ => prec(10, seq($._model, choice($.call, $.brackets, $.field))),
    hook: $ => seq($._name, '=', $.site_path, optional($.brackets)),
    site_path: $ => seq($._name, repeat(seq(token.immediate('.'), choice($._name, $.number)))),
    with_expr: $ => seq('with', $._model, '{', parted($.swap, $._hook_sep), '}'),
    swap: $ => seq($.site_path, optional($.brackets), '=', $._expr),
    fit_expr: $ => seq('fit', $.record),
    record: $ => prec.dynamic(1, seq('{', parted($.entry, $._field_sep), '}')),
    entry: $ => seq($._name, optional(seq(':', $._expr))),
    comprehension: $ => seq('[', comma($.binder), '=>', $._expr, ']'),
    binder: $ => seq($._name, 'in', $._name),
    list: $ => seq('[', maybe($._expr), ']'),

    // ---- tokens
    path: $ => seq($._name, repeat(seq(token.immediate('.'), $._name))),
    _name: $ => choice($.ident, ...CLAUSES.map(word => alias(word, $.ident))),
    ident: _ => /[A-Za-z_][A-Za-z0-9_']*/,
    number: _ => /[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9][0-9_]*)?/,
    string: $ => seq('"', repeat(choice($.text, $.hole)), token.immediate('"')),
    text: _ => token.immediate(prec(1, /([^"\\{}\n]|\\[^\n]|\{\{|\}\})+/)),
    hole: $ => seq(token.immediate('{'), $._expr, optional(seq(':', $.format)), '}'),
    format: _ => /[A-Za-z0-9.%]+/,
    boolean: _ => choice('true', 'false'),
    comment: _ => token(seq('#', /.*/)),
  },
});
